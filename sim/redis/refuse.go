package redis

import (
	"regexp"
	"strings"
)

const (
	isRandom      = "it is random"
	isUnordered   = "miniredis answers in random order"
	isBlocking    = "it waits for replicas or for the disk"
	isClient      = "of it only TRACKING ON without BCAST, CACHING, ID, SETINFO and SETNAME are simulated, outside of scripts and of MULTI ... EXEC"
	isConn        = "the state of a connection is not simulated"
	isWatch       = "it is for one connection, outside of scripts and of MULTI ... EXEC"
	isFlush       = "miniredis does not tell the connections that watch a key of it"
	isNestedFlush = "with client-side caching it is for outside of scripts and of MULTI ... EXEC"
	isPubSub      = "of messages only SUBSCRIBE, outside of MULTI ... EXEC, and PUBLISH are simulated"
	isServer      = "it shows or changes the server rather than its data"
	isHidden      = "it leaves something behind in miniredis that the content cannot show"
	isEmpty       = "miniredis keeps an empty result, where Redis deletes the key"
	isNested      = "it waits, which is for outside of scripts and of MULTI ... EXEC; inside use the command that does not"
	isIdle        = "how long an entry has been pending needs time; read it again as the same consumer, with XREADGROUP and the id 0"
	isGroup       = "miniredis answers a part of it; use XLEN, XRANGE and XPENDING"
	isTrim        = "miniredis forgets the last id of a stream, and that an entry which is gone was pending"
	isOneDB       = "there is one database, number 0"
	isEqual       = "miniredis takes an equal TTL for a shorter one; compare with PTTL in a script"
	isFormat      = "miniredis has a format of its own"
	isCache       = "the script cache is not state; load scripts in the setup of the store"
)

// refused says why a command is not supported.
var refused = map[string]string{
	"SPOP":        isRandom,
	"SRANDMEMBER": isRandom,
	"RANDOMKEY":   isRandom,
	"HRANDFIELD":  isRandom,
	"ZRANDMEMBER": isRandom,

	"SDIFF":  isUnordered,
	"SINTER": isUnordered,
	"SUNION": isUnordered,

	"BLPOP":      isNested,
	"BRPOP":      isNested,
	"BLMOVE":     isNested,
	"BLMPOP":     isNested,
	"BRPOPLPUSH": isNested,
	"BZMPOP":     isNested,
	"BZPOPMIN":   isNested,
	"BZPOPMAX":   isNested,
	"WAIT":       isBlocking,
	"WAITAOF":    isBlocking,

	"WATCH":    isWatch,
	"UNWATCH":  isWatch,
	"HELLO":    isConn,
	"AUTH":     isConn,
	"CLIENT":   isClient,
	"RESET":    isConn,
	"QUIT":     isConn,
	"READONLY": isConn,
	"MONITOR":  isConn,

	"SUBSCRIBE":    isPubSub,
	"UNSUBSCRIBE":  isPubSub,
	"PSUBSCRIBE":   isPubSub,
	"PUNSUBSCRIBE": isPubSub,
	"SSUBSCRIBE":   isPubSub,
	"SUNSUBSCRIBE": isPubSub,
	"SPUBLISH":     isPubSub,
	"PUBSUB":       isPubSub,

	"INFO":     isServer,
	"DEBUG":    isServer,
	"CLUSTER":  isServer,
	"CONFIG":   isServer,
	"MEMORY":   isServer,
	"OBJECT":   isServer, // IDLETIME: when a key was last read is not part of the content
	"FUNCTION": isServer,

	"DUMP":    isFormat,
	"RESTORE": isFormat,

	"SELECT": isOneDB,
	"SWAPDB": isOneDB,
	"MOVE":   isOneDB,

	"SCRIPT": isCache,

	// A sketch cannot be read back.
	"PFADD":   isHidden,
	"PFCOUNT": isHidden,
	"PFMERGE": isHidden,
	// HDEL keeps the TTL of the field, and a later HSET revives it.
	"HEXPIRE": isHidden,
	"HSETEX":  isHidden,
	// COPY ... REPLACE keeps what the target was before, BITOP with an empty
	// result keeps its TTL.
	"COPY":        isHidden,
	"BITOP":       isHidden,
	"SINTERSTORE": isEmpty,
	"SDIFFSTORE":  isEmpty,
	"SUNIONSTORE": isEmpty,
	"ZINTERSTORE": isEmpty,
	"ZUNIONSTORE": isEmpty,

	"XDEL":       isTrim,
	"XTRIM":      isTrim,
	"XCLAIM":     isIdle,
	"XAUTOCLAIM": isIdle,
	"XINFO":      isGroup,
}

// refusedOption says why a command is not supported with an option.
var refusedOption = map[string]map[string]string{
	"XADD": {"MAXLEN": isTrim, "MINID": isTrim},
	// With a time that has passed, miniredis keeps the TTL without the key.
	"SET":   {"EXAT": isHidden, "PXAT": isHidden},
	"GETEX": {"EXAT": isHidden, "PXAT": isHidden},

	"EXPIRE":    {"LT": isEqual},
	"PEXPIRE":   {"LT": isEqual},
	"EXPIREAT":  {"LT": isEqual},
	"PEXPIREAT": {"LT": isEqual},
}

// optionsFrom is the index of the first argument that can be an option.
var optionsFrom = map[string]int{"SET": 2, "GETEX": 1, "XADD": 1, "EXPIRE": 2, "PEXPIRE": 2, "EXPIREAT": 2, "PEXPIREAT": 2}

// The random generator of Lua in miniredis is that of the whole program.
var luaRandom = regexp.MustCompile(`\brandom(seed)?\b`)

// refusal returns why a command is not supported, together with the name to
// report, and "" if it is. cmd is in upper case.
func refusal(cmd string, args []string) (name, reason string) {
	if reason, ok := refused[cmd]; ok {
		return cmd, reason
	}
	switch cmd {
	case "EVAL", "EVAL_RO":
		if len(args) > 0 && luaRandom.MatchString(args[0]) {
			return "math.random in Lua", isRandom
		}
	case "SET", "GETEX", "XADD", "EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT":
		for _, arg := range args[min(len(args), optionsFrom[cmd]):] {
			arg = strings.ToUpper(arg)
			if reason, ok := refusedOption[cmd][arg]; ok {
				return cmd + " " + arg, reason
			}
			if cmd == "XADD" && arg != "NOMKSTREAM" {
				break // what follows is data
			}
		}
	}
	return streamRefusal(cmd, args)
}
