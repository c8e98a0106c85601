"""The types of Sanic 21 that apps name in annotations."""
