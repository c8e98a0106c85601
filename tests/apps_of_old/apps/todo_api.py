from sanic import Sanic
from sanic.exceptions import InvalidUsage, NotFound
from sanic.response import json

app = Sanic("todo")
todos = {}


def find(todo_id):
    if todo_id not in todos:
        raise NotFound("No todo with the id {}".format(todo_id))
    return todos[todo_id]


@app.get("/todos")
async def list_todos(request):
    done = request.args.get("done")
    found = [todo for _, todo in sorted(todos.items())]
    if done is not None:
        found = [todo for todo in found if todo["done"] == (done == "true")]
    return json({"todos": found, "count": len(found)})


@app.post("/todos")
async def create_todo(request):
    if not request.json or "title" not in request.json:
        raise InvalidUsage("A todo needs a title")
    todo = {"id": len(todos) + 1, "title": request.json["title"], "done": False}
    todos[todo["id"]] = todo
    return json(todo, status=201, headers={"Location": app.url_for("get_todo", todo_id=todo["id"])})


@app.get("/todos/<todo_id:int>")
async def get_todo(request, todo_id):
    return json(find(todo_id))


@app.put("/todos/<todo_id:int>")
async def update_todo(request, todo_id):
    todo = find(todo_id)
    todo.update({key: request.json[key] for key in ("title", "done") if key in request.json})
    return json(todo)


@app.delete("/todos/<todo_id:int>")
async def delete_todo(request, todo_id):
    find(todo_id)
    del todos[todo_id]
    return json({}, status=200)


if __name__ == "__main__":
    app.run(host="0.0.0.0", port=8000)
