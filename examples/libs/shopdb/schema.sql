CREATE TABLE products (
  id    INTEGER PRIMARY KEY,
  price INTEGER NOT NULL,
  stock INTEGER NOT NULL
);

CREATE TABLE orders (
  id         INTEGER PRIMARY KEY,
  product_id INTEGER NOT NULL
);
