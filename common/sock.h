/*
 * Sockets and their addresses.  Every descriptor made here is non-blocking
 * and close-on-exec.
 *
 * An address is written "8080", ":8080", "127.0.0.1:8080", "[::1]:8080",
 * "*:8080", "localhost:8080" or "unix:/path".  A bare port means all
 * addresses, v6 and v4.  Behind a Unix path may stand mode=0660, owner=USER and
 * group=GROUP (names or numbers), which sock_listen gives to the socket's file
 * before anybody can connect.
 */
#ifndef COMMON_SOCK_H
#define COMMON_SOCK_H

#include <sys/socket.h>
#include <sys/un.h>
#include <sys/types.h>

#include <stddef.h>

#define SOCK_MODE	0x1u
#define SOCK_OWNER	0x2u
#define SOCK_GROUP	0x4u

struct sock_addr {
	struct sockaddr_storage	ss;
	socklen_t		len;
	int			v6_and_v4;	/* bare port: dual stack */
	unsigned		perms;		/* SOCK_MODE ...: these are set */
	mode_t			mode;
	uid_t			uid;
	gid_t			gid;
};

/* 0, or -1 with errno EINVAL and *why a sentence (static). */
int	 sock_parse(const char *text, struct sock_addr *a, const char **why);
/* "127.0.0.1:8080", "[::1]:80", "unix:/path", "unix:" for an unnamed one;
 * v4-mapped v6 is shown as v4.  Returns dst, cut to size. */
char	*sock_format(char *dst, size_t size, const struct sockaddr *sa,
	    socklen_t len);
/*
 * Bound and listening stream socket (type SOCK_STREAM) or SOCK_SEQPACKET for
 * Unix addresses.  Accepted TCP sockets send at once (TCP_NODELAY).  A stale Unix socket file that nobody answers is replaced;
 * one that answers is EADDRINUSE.  -1 with errno.
 */
int	 sock_listen(const struct sock_addr *a, int type, int backlog);
/* Unix socket of this type: connected, or -1 with errno (EAGAIN: backlog is
 * full, try later).  path is limited to 107 bytes: ENAMETOOLONG. */
int	 sock_connect_unix(const char *path, int type);
/* SO_PEERCRED of a Unix socket: 0, or -1 with errno. */
int	 sock_peer(int fd, pid_t *pid, uid_t *uid);
/* Is fd a socket of connected bytes, such as a client's? */
int	 sock_is_stream(int fd);
/* Bytes that were written to fd, a stream, and that the other side's machine has not
 * acknowledged; of a Unix socket, not read, with what the kernel needs for them.  0 where
 * nobody knows. */
size_t	 sock_unsent(int fd);
/* End a connection that may be open elsewhere too: shutdown, then close; with
 * reset, TCP sends RST instead of FIN.  fd may be -1. */
void	 sock_end(int fd, int reset);

#endif
