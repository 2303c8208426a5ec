// Shows the description. Requests are not sent from here: they need a client certificate.
SwaggerUIBundle({
  url: "openapi.yaml",
  dom_id: "#page",
  deepLinking: true,
  supportedSubmitMethods: [],
  validatorUrl: null,
});
