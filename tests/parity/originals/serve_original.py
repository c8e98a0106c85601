"""Runs under Python 3.6 with an original: serves one application and says on which port.

python serve_original.py sanic routes       an application of `surface`
python serve_original.py sanic PATH.py      a script of its own that has `app`
"""

import os
import runpy
import socket
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    flavour, wanted = sys.argv[1:3]
    sys.path.insert(0, HERE)
    debug = False
    if wanted.endswith(".py"):
        sys.path.insert(0, os.path.dirname(os.path.abspath(wanted)))
        app = runpy.run_path(wanted)["app"]
    else:
        from surface import framework
        from surface.catalogue import APPS

        make, _, debug = APPS[wanted]
        app = make(framework(flavour))
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", 0))
    print("port %d" % listening.getsockname()[1], flush=True)
    # Nobody reads on: a pipe that fills with the access log would stop the server.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    options = {"auto_reload": False} if debug and flavour == "sanic" and "0.8" in version() else {}
    # The originals took no port of the caller's choice together with a socket.
    app.run(host=None, port=None, sock=listening, debug=debug, **options)


def version():
    import sanic

    return sanic.__version__


if __name__ == "__main__":
    main()
