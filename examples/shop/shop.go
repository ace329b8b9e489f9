// Package shop is a small shop as teams write it: handlers of HTTP, products and orders in
// a SQL database, and a cache in Redis and in the memory of the server. It knows nothing of
// package quiesce, by which its tests check it.
package shop

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"
)

// A Shop is one server.
type Shop struct {
	// Timeout is how long a request may take. The zero value means for ever.
	Timeout time.Duration

	db    *sql.DB
	cache Cache
}

// New returns a server.
func New(db *sql.DB, cache Cache) *Shop { return &Shop{db: db, cache: cache} }

// Product returns a product as the cache has it.
func (s *Shop) Product(ctx context.Context, id int64) (Product, error) {
	return s.cache.Product(ctx, id, func() (Product, error) { return Repository{s.db}.Product(ctx, id) })
}

// SetPrice changes the price of a product. It is forgotten also after an error, which says
// not that nothing has changed.
func (s *Shop) SetPrice(ctx context.Context, id, price int64) error {
	err := Repository{s.db}.SetPrice(ctx, id, price)
	return errors.Join(err, s.cache.Forget(ctx, id))
}

// Checkout sells a piece for the price that the customer has seen, and returns that.
func (s *Shop) Checkout(ctx context.Context, id int64) (price int64, err error) {
	p, err := s.Product(ctx, id)
	if err != nil {
		return 0, err
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback()
	if err := (Repository{tx}).Sell(ctx, id, p.Price); err != nil {
		return 0, err
	}
	return p.Price, errors.Join(tx.Commit(), s.cache.Forget(ctx, id))
}

// Handler returns the API of the shop.
func (s *Shop) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /products/{id}", s.answer(func(ctx context.Context, id int64, _ *http.Request) (any, error) {
		return s.Product(ctx, id)
	}))
	mux.HandleFunc("PUT /products/{id}/price", s.answer(func(ctx context.Context, id int64, r *http.Request) (any, error) {
		var price int64
		if err := json.NewDecoder(r.Body).Decode(&price); err != nil || price < 0 {
			return nil, errBadRequest
		}
		return nil, s.SetPrice(ctx, id, price)
	}))
	mux.HandleFunc("POST /products/{id}/orders", s.answer(func(ctx context.Context, id int64, _ *http.Request) (any, error) {
		return s.Checkout(ctx, id)
	}))
	return mux
}

var errBadRequest = errors.New("bad request")

// status returns that of an error.
func status(err error) int {
	switch {
	case errors.Is(err, errBadRequest):
		return http.StatusBadRequest
	case errors.Is(err, ErrUnknown):
		return http.StatusNotFound
	case errors.Is(err, ErrSoldOut):
		return http.StatusConflict
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout
	}
	return http.StatusInternalServerError
}

// answer returns the handler of what is done with a product.
func (s *Shop) answer(do func(ctx context.Context, id int64, r *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		if s.Timeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, s.Timeout)
			defer cancel()
		}
		var value any
		id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
		if err != nil {
			err = errBadRequest
		} else {
			value, err = do(ctx, id, r)
		}
		if err == nil {
			w.Header().Set("Content-Type", "application/json")
			err = json.NewEncoder(w).Encode(value)
		}
		if err == nil {
			return
		}
		code := status(err)
		if code == http.StatusInternalServerError && r.Context().Err() == nil { // the caller has not gone away
			slog.ErrorContext(ctx, "request failed", "path", r.URL.Path, "error", err)
		}
		http.Error(w, http.StatusText(code), code)
	}
}
