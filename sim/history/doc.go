// Package history records operations of tasks and judges what they returned.
//
// A property of a state, such as that the cache equals the database, says nothing of what
// callers were told on the way. A property of this package does. An operation is one call
// of a service by its caller, such as "view", with a key. It has an invocation and a
// return in an execution, and may take any number of steps between them. A task may do
// several operations, one after the other: a session.
//
// A [Log] records the operations of one process. Whoever builds the process makes it, and
// shows it, since the properties read it in the memory of the process:
//
//	New: func(p *sim.Process) []sim.Task {
//		svc := shop.New(cache.Client(p), db.Open(p))
//		log := history.NewLog(p)
//		p.Show(log.Content)
//		return []sim.Task{func(ctx context.Context) (string, error) {
//			err := log.Do("session-1", history.Op{Name: "update", Kind: history.Write, Key: "product:1", Value: "7900"}, func() (string, error) {
//				return "", svc.SetPrice(ctx, 1, 7900)
//			})
//			if err != nil {
//				return "", err
//			}
//			return "", log.Do("session-1", history.Op{Name: "view", Key: "product:1"}, func() (string, error) {
//				p, err := svc.Product(ctx, 1)
//				return strconv.FormatInt(p.Price, 10), err
//			})
//		}}
//	}
//
// And the system asks for a property of them:
//
//	Property: history.History{Initial: map[string]string{"product:1": "9900"}}.ReadYourWrites()
//
// # What is older
//
// The properties compare what a read returned with the writes that there were. A value is
// older than a write if, whatever the writes did in between, it was replaced: if it is
// that of a write which had returned before that one was begun, or the initial one. Of two
// writes at once nobody knows, from outside, which came first. A [Source] knows: with one,
// the order is that in which the values were there. A value that is written twice counts
// as the younger of the two.
//
// A write that fails may have happened, or may happen yet. So it is one that never
// returns, and so is one whose process crashes.
//
// # When an operation begins
//
// The caller may be as slow as it likes, so the invocation is a step, called yield, after
// which the code of the operation runs up to its first request. It returns in the
// step in which its code does: later returns ask for less. See [Log.First] for what
// can be saved.
//
// # What it costs
//
// A property of histories has a monitor, whose state is a part of the state of the
// system. It keeps no more than what is still needed to judge, and nothing once the
// property is violated; docs/histories.md has numbers. [History.Linearizable] needs
// most: of the operations that overlapped, up to the moment at which none goes on.
package history
