/*
 * Queued messages over a Unix socket, flushed once a turn of the loop.
 *
 * Two kinds: control (SEQPACKET: packets of struct ctl with descriptors) and
 * link (STREAM: frames of 4 bytes big-endian length and that many bytes).
 * Both own their descriptor and their events; neither ever blocks.  Reading a
 * control channel has the loop's highest priority: what a shard says of a place
 * is known before a client that arrives at the same moment is placed.
 */
#ifndef PROTO_CHANNEL_H
#define PROTO_CHANNEL_H

#include <stddef.h>

#include "common/bytes.h"
#include "proto/control.h"

struct event_base;

/* ---- control ---- */
struct control;

/*
 * One message.  fds: nfds descriptors that came with it, ours to take: set
 * the element to -1; what is left is closed on return.  cut: its descriptors
 * were lost on the way (nfds is 0, though ctl_fds(m) is not).  Returns 0, or -1 to
 * end the channel (EPROTO logged by the channel).
 * Messages of one packet are handed out one after another, then packet_cb is
 * called (may be NULL): the place to hand ADOPTED to the kernel.
 * The callback may not free the channel; it returns -1 instead.
 */
typedef int	control_message_cb(struct control *c, const struct ctl *m,
		    int *fds, size_t nfds, int cut, void *arg);
typedef void	control_packet_cb(struct control *c, void *arg);
/* The other side is gone and everything it sent was handed out.  why is a
 * sentence.  The callback frees the channel. */
typedef void	control_end_cb(struct control *c, const char *why, void *arg);

/* fd is taken: connected SEQPACKET.  name is for the log, copied.  NULL with
 * errno. */
struct control *control_new(struct event_base *base, int fd, const char *name,
	    control_message_cb *message_cb, control_packet_cb *packet_cb,
	    control_end_cb *end_cb, void *arg);
/* Closes; what is queued is dropped, queued descriptors are not closed (they
 * are their owners'). */
void	 control_free(struct control *c);
/*
 * Queue m; sent at the end of the turn, in packets of at most PACKET_MAX bytes and
 * CAPSULES_MAX capsules.  fds (ctl_fds(m) of them) are borrowed: they must stay
 * open until ADOPTED or REFUSED or the end, but a memfd (fds[1]) is taken, as are those
 * of FERRY, LISTENING and COVER, unless -1 is returned.
 * 0, or -1 with errno ENOMEM, EMSGSIZE (larger than a packet) or ENOBUFS (more than
 * 64 MiB queued).  Between a failed write and the end, it is dropped: 0.
 */
int	 control_send(struct control *c, const struct ctl *m, const int *fds);
/* Flush now: 0 when the kernel has everything, -1 with errno (EAGAIN: the rest
 * follows by itself; ETOOMANYREFS likewise; others: the end callback comes). */
int	 control_flush(struct control *c);
/* Is everything with a number up to and including n with the kernel?  Numbers
 * count the messages of control_send from 1. */
uint64_t control_queued(const struct control *c);	/* last number queued */
uint64_t control_sent(const struct control *c);	/* last with the kernel */
/* Called from the loop when control_sent advances after an EAGAIN. */
void	 control_set_sent_cb(struct control *c,
	    void (*cb)(struct control *c, void *arg));
int	 control_fd(const struct control *c);

/* ---- link ---- */
struct frames;

/* One whole frame; data valid during the call.  Returns 0, or -1 to end. */
typedef int	frames_message_cb(struct frames *f, const char *data,
		    size_t len, void *arg);
typedef void	frames_end_cb(struct frames *f, const char *why, void *arg);
/* The queue went down to half of `mark` or less after having passed it. */
typedef void	frames_drained_cb(struct frames *f, void *arg);

struct frames *frames_new(struct event_base *base, int fd, const char *name,
	    frames_message_cb *message_cb, frames_end_cb *end_cb,
	    frames_drained_cb *drained_cb, size_t mark, void *arg);
void	 frames_free(struct frames *f);
/*
 * Append one frame made of two runs (either may be empty) to the queue.  0, or
 * -1 with errno ENOMEM or EMSGSIZE (LINK_FRAME_MAX).  Between a failed write and
 * the end, it is dropped: 0.  Reading never stops.
 */
int	 frames_send(struct frames *f, struct slice head, struct slice body);
int	 frames_flush(struct frames *f);
size_t	 frames_queued(const struct frames *f);	/* bytes */

#endif
