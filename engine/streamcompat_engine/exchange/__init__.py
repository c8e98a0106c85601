"""One request and its response, as an application sees them: neutral of protocol and transport."""
