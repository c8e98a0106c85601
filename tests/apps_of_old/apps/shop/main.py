from orders import bp as orders
from orders import bp_v2 as orders_v2
from products import bp as products
from sanic import Sanic
from sanic.response import json

app = Sanic("shop")
app.blueprint(products)
app.blueprint(orders)
app.blueprint(orders_v2)


@app.route("/")
async def index(request):
    return json({
        "products": app.config.PRODUCTS,
        "blueprints": sorted(app.blueprints),
        "first": app.url_for("products.show", number=1),
    })


if __name__ == "__main__":
    app.run(host="0.0.0.0", port=8000, debug=True)
