SwaggerUIBundle({
    url: "/functions/v1/openapi.json",
    dom_id: "#document",
    deepLinking: true,
    docExpansion: "list",
    filter: true,
    // The validator badge would come from another host.
    validatorUrl: null,
});
