"""The codemod behind `streamcompat port`: from the streaming API of Sanic to that of Mach9."""
