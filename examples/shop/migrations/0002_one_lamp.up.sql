INSERT INTO products (id, name, price, stock) VALUES (1, 'Desk lamp', 9900, 1);
