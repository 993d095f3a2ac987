"""The app's own JSON API under /api: for a browser that is signed in."""
