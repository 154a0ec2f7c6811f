/*
 * A dial opens a connection to another server: its name is looked up (resolve.h), and
 * its addresses are tried in turn until one answers.  Nothing blocks.
 */
#ifndef COMMON_DIAL_H
#define COMMON_DIAL_H

struct dial;
struct event_base;

/*
 * Once, from the loop: fd, connected, non-blocking and close-on-exec, is the receiver's,
 * peer its address ("ip:port", "unix:"); or fd is -1, and err an errno.
 */
typedef void	dial_cb(int fd, const char *peer, int err, void *arg);

/*
 * address: host:port, [IPv6]:port or unix:/path.  Within ms.  The object ends with the
 * callback, or is cancelled.  NULL with errno: EINVAL (no address), or another.
 */
struct dial *dial_new(struct event_base *base, const char *address,
	    unsigned ms, dial_cb *cb, void *arg);
/* The callback will not come.  NULL is nothing. */
void	 dial_cancel(struct dial *d);

#endif
