package sqlite

import "database/sql/driver"

// ItemName returns what the row of a table is called in the content of a store: by the
// columns of its primary key, in the order of the key, or by its rowid if it has none.
//
//	ItemName("products", int64(1)) // products/1
func ItemName(table string, key ...driver.Value) string {
	b := append(appendKey(nil, table), '/')
	for i, k := range key {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendKey(b, k)
	}
	return string(b)
}

// Tables returns the names of the tables at the start, in order.
func (s *Store) Tables() []string { return s.start.tables }
