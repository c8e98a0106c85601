from mach9 import Blueprint, Mach9

app = Mach9("constructor")
second = Mach9()
third = Mach9("third", None, None, False, None)
third.strict_slashes = True
fourth = Mach9(
    "fourth",
    load_env=False,
    log_config={},
)
part = Blueprint("part", url_prefix="/part")
part.version = 1
part.strict_slashes = True

if __name__ == "__main__":
    app.run("127.0.0.1", 8000, debug=True, workers=1)
