-- 001: what there is to buy
CREATE TABLE products (
    id    INTEGER PRIMARY KEY,
    name  TEXT NOT NULL,
    price INTEGER NOT NULL -- in cents
);

-- 002: the first one
INSERT INTO products VALUES (1, 'Desk lamp', 9900);
