/* One packet with descriptors across a Unix SOCK_SEQPACKET socket. */
#ifndef COMMON_FDPASS_H
#define COMMON_FDPASS_H

#include <stddef.h>
#include <sys/types.h>

#define FDPASS_MAX	16	/* descriptors a packet (unix(7) allows 253) */

/*
 * Send one packet with n descriptors over a Unix SOCK_SEQPACKET socket.
 *
 * fds  borrowed, never closed here; n is 0..FDPASS_MAX.
 * buf  borrowed; len is at least 1, for an empty packet reads as the end.
 *
 * Returns 0: the kernel has the packet and all n.  Or -1, nothing sent:
 *   EAGAIN        receiver is behind; keep the packet, repeat on EV_WRITE
 *   ETOOMANYREFS  over RLIMIT_NOFILE in flight; repeat after a delay
 *   EMSGSIZE      larger than the send buffer; split the batch
 *   EPIPE, ECONNRESET  receiver is gone; place the connections afresh
 *   EINVAL        len is 0, or n is too large
 * Never blocks, never raises SIGPIPE.  Sent is not adopted: the receiver may
 * die, or be out of descriptors.  Keep fds open until it says adopted.
 */
int	 fdpass_send(int sock, const int *fds, size_t n, const void *buf,
	    size_t len);
/*
 * Receive one packet into buf.  Up to FDPASS_MAX descriptors go to fds (close
 * on exec set), their number to *n; the caller owns them.  *cut is set when
 * descriptors were lost on the way (MSG_CTRUNC: we are out of descriptors);
 * then those received are closed and *n is 0.
 *
 * Returns the packet's length, 0 at the end, or -1: EAGAIN, ECONNRESET (not
 * the end: call again until 0), EMSGSIZE (packet larger than size: dropped).
 */
ssize_t	 fdpass_recv(int sock, int *fds, size_t *n, void *buf, size_t size,
	    int *cut);

#endif
