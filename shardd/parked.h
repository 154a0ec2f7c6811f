/*
 * Connections that were handed over, and whose ADOPTED is queued but perhaps not with
 * the kernel: nobody touches them until it is known whose they are.
 */
#ifndef SHARDD_PARKED_H
#define SHARDD_PARKED_H

#include <stdint.h>
#include <sys/types.h>

struct conn;
struct gate;
struct list;
struct parked;

/* Has the gateway given it to somebody else by now?  until is clock_ms, 0: never. */
int	 parked_late(uint64_t until);
/* c, whose shard has died if resumed, and which is ours until then; without memory it is
 * dropped, and NULL. */
struct parked *parked_new(struct conn *c, int resumed, uint64_t until);
/* It is not ours. */
void	 parked_drop(struct parked *p);
/* Its ADOPTED is the channel's message of that number. */
void	 parked_add(struct list *all, struct parked *p, uint64_t number);
/* So many messages are with the kernel: those begin whose ADOPTED is one of them. */
void	 parked_begin(struct list *all, struct gate *gate, uint64_t sent);
/*
 * The channel has ended.  If the gateway is dead (its process is pid, or pidfd -1),
 * nobody else has these connections; if it lives, it is placing them afresh already.
 */
void	 parked_orphaned(struct list *all, struct gate *gate, int pidfd,
	    pid_t pid);
/* None is ours. */
void	 parked_drop_all(struct list *all);

#endif
