SwaggerUIBundle({
    url: "/functions/v1/openapi.json",
    dom_id: "#document",
    deepLinking: true,
    docExpansion: "list",
    filter: true,
    // Its badge would be fetched from elsewhere.
    validatorUrl: null,
});
