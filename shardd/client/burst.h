/*
 * Many sends in one system call, by io_uring(7), where the kernel has it: when a
 * turn leaves something to be written on many sockets, as a message to a large
 * group does.  Entering the kernel once for each costs more than what it does
 * there.
 *
 * Sends are made while burst_send() runs, none later, and never wait.
 */
#ifndef SHARDD_BURST_H
#define SHARDD_BURST_H

#include <sys/types.h>

#include "common/bytes.h"

struct burst;

#define BURST_MIN	4		/* sockets that are worth it */
#define BURST_MAX	256		/* sends at once */

/* NULL with errno: the kernel has none, or does not let us. */
struct burst *burst_new(void);
void	 burst_free(struct burst *b);
/* Room for another send, and for n bytes to be gathered? */
int	 burst_room(const struct burst *b);
/*
 * One more send: what stands in data, which must stay until burst_send(), goes to fd.
 * who is handed back.  Returns which of them it is, from 0.
 */
size_t	 burst_add(struct burst *b, int fd, struct slice data, void *who);
/* Where the next bytes may be gathered, *n of them; add what was. */
char	*burst_scratch(struct burst *b, size_t *n);
size_t	 burst_count(const struct burst *b);
/* n of len bytes were sent, as send(2) says it: -1 with errno. */
typedef void	burst_done_cb(void *who, ssize_t n, size_t len);
/*
 * Make them all; then done for each, in order, which may not add.  0, or -1: the
 * ring is of no use any more, though done was called for all.
 */
int	 burst_send(struct burst *b, burst_done_cb *done);

#endif
