// Names that a page has from a script tag of its own, or from a test's page.

declare const supabase: typeof import('@supabase/supabase-js')
declare const SwaggerUIBundle: (settings: object) => {
  preauthorizeApiKey: (scheme: string, token: string) => void
  authActions: { logout: (schemes: string[]) => void }
}

interface Window {
  perform: (name: string, ...given: unknown[]) => Promise<unknown>
}
