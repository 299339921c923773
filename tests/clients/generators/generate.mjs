// Writes the types of the first OpenAPI document to standard output. What redocly and spectral
// find in any of the documents goes to standard error.
import { readFile } from 'node:fs/promises'

import { createConfig, lint } from '@redocly/openapi-core'
import spectralCore from '@stoplight/spectral-core'
import spectralParsers from '@stoplight/spectral-parsers'
import spectralRulesets from '@stoplight/spectral-rulesets'
import openapiTypeScript, { astToString } from 'openapi-typescript'

const paths = process.argv.slice(2)
const redocly = await createConfig({ extends: ['recommended'] })
const spectral = new spectralCore.Spectral()
spectral.setRuleset({ extends: [spectralRulesets.oas] })

for (const path of paths) {
  for (const { ruleId, message, location } of await lint({ ref: path, config: redocly })) {
    console.error(path, ruleId, message, ...location.map(({ pointer }) => pointer))
  }
  const document = new spectralCore.Document(await readFile(path, 'utf8'), spectralParsers.Json, path)
  for (const { code, message, path: place } of await spectral.run(document)) {
    console.error(path, code, message, place.join('/'))
  }
}
console.log(astToString(await openapiTypeScript(new URL(paths[0], 'file:'))))
