package model

import "regexp"

var briefs = []struct {
	pattern *regexp.Regexp
	brief   string
}{
	// A product as JSON: its price, and its version once it has one.
	{regexp.MustCompile(`'?\{"product_id":\d+,"name":"[^"]*","price":(\d+),"stock":\d+,"updated_at":"[^"]*","version":0\}'?`), "{$1}"},
	{regexp.MustCompile(`'?\{"product_id":\d+,"name":"[^"]*","price":(\d+),"stock":\d+,"updated_at":"[^"]*","version":(\d+)\}'?`), "{$1 v$2}"},
	// A product as a row of a reply.
	{regexp.MustCompile(`product_id=\d+ name=.*? price=(\d+) stock=\d+ updated_at=.*? version=0\b`), "{$1}"},
	{regexp.MustCompile(`product_id=\d+ name=.*? price=(\d+) stock=\d+ updated_at=.*? version=(\d+)`), "{$1 v$2}"},
	{regexp.MustCompile(regexp.QuoteMeta(columns)), "…"},
}

// Brief shortens text of a trace: a whole product becomes {price}, or
// {price version}, and a list of all its columns becomes an ellipsis.
func Brief(text string) string {
	for _, b := range briefs {
		text = b.pattern.ReplaceAllString(text, b.brief)
	}
	return text
}
