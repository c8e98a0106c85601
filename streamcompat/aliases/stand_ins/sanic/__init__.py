"""What `import sanic` finds in a program that `streamcompat exec` started; the facade takes its place."""

from streamcompat.aliases import stand_in

stand_in(__name__)
