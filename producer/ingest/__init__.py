"""HTTP push: a browser, a phone or any device POSTs pictures, and is a camera."""
