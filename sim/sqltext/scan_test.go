package sqltext

import "testing"

func TestShape(t *testing.T) {
	tests := []struct {
		sql  string
		want Shape
	}{
		{`select ?, ?, ?1, ?4, ?, :a, @a, :a -- ?`, Shape{"SELECT", 7, false}},
		{`SELECT '?''?', "?", [?], ` + "`?`" + ` /* ? ; */ ;`, Shape{"SELECT", 0, false}},
		{`SELECT a::int, b :: text, :a`, Shape{"SELECT", 1, false}},
		{`SELECT 1; -- nothing more`, Shape{"SELECT", 0, false}},
		{`SELECT 'unterminated ; SELECT ?`, Shape{"SELECT", 0, false}},
		{`with a as (select 1), b as (values (2)) delete from t`, Shape{"DELETE", 0, false}},
		{`WITH RECURSIVE n(x) AS (SELECT 1) REPLACE INTO t SELECT x FROM n`, Shape{"REPLACE", 0, false}},
		{`create temp trigger t after insert on x begin select case 1 when 1 then 2 end; select 3; end;`, Shape{"CREATE", 0, false}},
		{`CREATE TABLE trigger_ (a); SELECT 1`, Shape{"CREATE", 0, true}},
	}
	for _, tt := range tests {
		if got := ShapeOf(tt.sql); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.sql, got, tt.want)
		}
	}
}
