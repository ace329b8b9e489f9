package libs

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	gormsqlite "gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"quiesce"
)

// A Listing is a model with a time that GORM writes.
type Listing struct {
	ID, Price, Stock int64
	UpdatedAt        time.Time
}

// reprice changes the price of what it has loaded and saves it, with every column.
func reprice(ctx context.Context, db *gorm.DB) error {
	var l Listing
	if err := db.WithContext(ctx).First(&l, 1).Error; err != nil {
		return err
	}
	l.Price = 7900
	return db.WithContext(ctx).Save(&l).Error
}

// repriceAlone saves nothing but the price.
func repriceAlone(ctx context.Context, db *gorm.DB) error {
	return db.WithContext(ctx).Model(&Listing{ID: 1}).Update("price", 7900).Error
}

func sell(ctx context.Context, db *gorm.DB) error {
	return db.WithContext(ctx).Model(&Listing{ID: 1}).Update("stock", gorm.Expr("stock - 1")).Error
}

// listings has a task that changes the price beside one that sells. open says when GORM
// opens the database, for which it asks for the version.
func listings(reprice func(context.Context, *gorm.DB) error, open func(*quiesce.Process, func() (*gorm.DB, error)) func() (*gorm.DB, error)) func(*quiesce.World) {
	return func(w *quiesce.World) {
		store := w.SQLite("db", "CREATE TABLE listings (id INTEGER PRIMARY KEY, price INTEGER, stock INTEGER, updated_at DATETIME)", "INSERT INTO listings VALUES (1, 9900, 5, NULL)")
		w.Server("shop", func(p *quiesce.Process) {
			db := open(p, func() (*gorm.DB, error) {
				return gorm.Open(gormsqlite.Dialector{Conn: store.Open(p)}, &gorm.Config{Logger: logger.Discard})
			})
			task := func(run func(context.Context, *gorm.DB) error) task {
				return func(ctx context.Context) error {
					db, err := db()
					if err != nil {
						return err
					}
					return run(ctx, db)
				}
			}
			p.Go("reprice", task(reprice))
			p.Go("sell", task(sell))
		})
		w.AtQuiescence("both are done", func(v quiesce.View) error {
			var price, stock int64
			if err := v.Row("db", "listings", 1).Columns("price", "stock").Scan(&price, &stock); err != nil || price != 7900 || stock != 4 {
				return fmt.Errorf("the price is %d, and %d are left, %v", price, stock, err)
			}
			return nil
		})
	}
}

// atBoot opens the database before the server serves.
func atBoot(p *quiesce.Process, open func() (*gorm.DB, error)) func() (db *gorm.DB, err error) {
	var db *gorm.DB
	p.Boot("open", func(context.Context) (err error) { db, err = open(); return err })
	return func() (*gorm.DB, error) { return db, nil }
}

// atFirst opens it when it is first needed, while all others wait for a lock.
func atFirst(_ *quiesce.Process, open func() (*gorm.DB, error)) func() (*gorm.DB, error) {
	return sync.OnceValues(open)
}

// TestGORM saves over what was changed meanwhile.
func TestGORM(t *testing.T) {
	violated(t, listings(reprice, atBoot), "the price is 7900, and 5 are left")
	holds(t, "", listings(repriceAlone, atBoot))
}

// TestGORMAtFirst opens the database in a sync.Once, which is a lock held across a request.
func TestGORMAtFirst(t *testing.T) {
	overlaid(t)
	violated(t, listings(reprice, atFirst), "the price is 7900, and 5 are left")
	holds(t, "", listings(repriceAlone, atFirst))
}
