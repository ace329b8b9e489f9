-- name: CountOrders :one
SELECT count(*) FROM orders WHERE product_id = ?;

-- name: CreateOrder :exec
INSERT INTO orders (product_id) VALUES (?);
