"""Routes: how they are declared, found and built back into URLs."""
