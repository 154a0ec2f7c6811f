/*
 * Arrears are answers to shards of other nodes that wait until Redis may carry them.  A
 * question of 60 bytes, which a stranger may have caused (who is in a room?), can have an
 * answer as long as the room is large, and Redis is all nodes': what is longer than 4 KiB
 * goes at 20 MiB a second and 32 MiB at once, in the order in which it was said.  Of one
 * replica 4 MiB wait, and 16 MiB of all; for what is more, the asker hears "overloaded".
 */
#ifndef SHARDD_ARREARS_H
#define SHARDD_ARREARS_H

struct gossip;
struct link;

enum arrears_fate {
	ARREARS_NONE,		/* it is to be sent now */
	ARREARS_WAITS,		/* it was copied, and will be sent */
	ARREARS_FULL		/* it cannot wait */
};

/* m is to be sent over l. */
enum arrears_fate arrears_take(const struct link *l, const struct gossip *m);

#endif
