"""The web app: pages for whoever is signed in, made by the server; they do what the app's API does."""
