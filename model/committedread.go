package model

import (
	"database/sql"

	"quiesce/sim/sqlite"
)

func init() {
	register(Strategy{
		Name:     "committed-read",
		Group:    DatabaseRaces,
		Summary:  "as dirty-read, but the others read at the default level (WAL)",
		Claim:    "the default level sees what is committed and nothing else",
		Promises: true,
		Mode:     sqlite.WAL,
		Race:     readRace(sql.LevelDefault),
	})
}
