// Package quiesce checks a service of yours in a test: it runs your code, unmodified, in
// every order in which its requests to Redis and the database can be executed, and says
// that a property holds in all of them, or shows the shortest one in which it does not.
//
//	func TestPriceIsNeverStale(t *testing.T) {
//		quiesce.Test(t, func(w *quiesce.World) {
//			db := w.SQLite("db", schema)
//			cache := w.Redis("cache")
//			w.Server("shop", func(p *quiesce.Process) {
//				svc := shop.New(cache.Client(p), db.Open(p)) // your constructor
//				p.Go("view", func(ctx context.Context) error { _, err := svc.Product(ctx, 1); return err })
//				p.Go("reprice", func(ctx context.Context) error { return svc.SetPrice(ctx, 1, 7900) })
//			})
//			w.Coherent("product:1", "products", 1)
//		})
//	}
//
// A [World] is stores, servers and properties. The function of a server is called anew for
// every run of its process, of which there are many: whatever it knows is made in it. The
// functions that it hands to [Process.Go] are the tasks, which run beside each other, and
// what a [Property] sees of a state is a [View].
//
// # What becomes of the test
//
// It passes if every property holds: all interleavings of the workload were explored, none
// violates it, and it had something to judge. What was explored and what the pass does not
// cover is logged, so go test -v shows it.
//
// It fails in every other case: a property is violated, or has nothing to judge since no
// state has what it looks up; a limit or the deadline of the test has ended the search; a
// task returned an error that [Process.Returns] does not declare, panicked or hung; the
// service is not deterministic; or the world was put together wrongly.
//
// The counterexample of a violation is the shortest one, and is kept in a file under
// testdata/quiesce, by the name of the test. The next run tries it first: as long as it
// violates, nothing else is explored. Afterwards it is a regression test that takes no time;
// delete the file when it is of no use any more.
//
// # Flags
//
//	-quiesce.schedule=TOKEN  runs that one interleaving, as the last line of a failure says
//	-quiesce.html=DIR        writes a page for every property, to step through
//	-quiesce.keep=false      neither tries nor keeps counterexamples
//	-short                   explores the smallest workload alone: see [UpTo]
//	-timeout D               ends the search some seconds earlier, and then the test fails
//
// What a verdict means, and what is yours to promise, is in docs/pass.md; how to go from a
// service to a first counterexample in docs/your-service.md.
package quiesce
