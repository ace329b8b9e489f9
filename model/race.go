package model

// counterRace is about a counter that begins at 0.
func counterRace(work Work) *Race {
	return &Race{
		Property: "no-lost-update",
		Setup: []string{
			"CREATE TABLE counters (id INTEGER PRIMARY KEY, value INTEGER NOT NULL, version INTEGER NOT NULL)",
			"INSERT INTO counters VALUES (1, 0, 0)",
		},
		Row:    "counters/1",
		Column: "value",
		Work:   work,
	}
}

// seatRace is about a seat that is free.
func seatRace(work Work) *Race {
	return &Race{
		Property: "at-most-one-booking",
		Setup: []string{
			"CREATE TABLE seats (id INTEGER PRIMARY KEY, booked INTEGER NOT NULL, booked_by INTEGER)",
			"INSERT INTO seats VALUES (1, 0, NULL)",
		},
		Row:      "seats/1",
		Column:   "booked",
		Work:     work,
		Numbered: true,
	}
}

// stockRace is about the last piece of something.
func stockRace(work Work) *Race {
	return &Race{
		Property: "stock-never-negative",
		Setup: []string{
			"CREATE TABLE stock (id INTEGER PRIMARY KEY, stock INTEGER NOT NULL)",
			"INSERT INTO stock VALUES (1, 1)",
		},
		Row:    "stock/1",
		Column: "stock",
		Work:   work,
	}
}
