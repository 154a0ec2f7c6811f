/* Sockets and their addresses. */
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <linux/sockios.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <pwd.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/sock.h"

/* The id of a user or group, given by name or number: 0, or -1. */
static int
sock_owner(const char *name, int group, uint32_t *id)
{
	const struct passwd	*pw = group ? NULL : getpwnam(name);
	const struct group	*gr = group ? getgrnam(name) : NULL;
	uint64_t		 n;

	if (pw != NULL)
		*id = pw->pw_uid;
	else if (gr != NULL)
		*id = gr->gr_gid;
	else if (slice_u64(slice_str(name), UINT32_MAX - 1, &n) == 0)
		*id = (uint32_t)n;
	else
		return (-1);
	return (0);
}

/* One word behind a Unix path: 0, 1 (the word is part of the path), or -1 with *why. */
static int
sock_perm(const char *word, struct sock_addr *a, const char **why)
{
	char	*end;
	long	 mode;

	if (strncmp(word, "mode=", 5) == 0) {
		mode = strtol(word + 5, &end, 8);
		*why = "mode is an octal number from 1 to 0777, as 0660";
		if (word[5] < '0' || word[5] > '7' || *end != '\0' ||
		    mode < 1 || mode > 0777)
			return (-1);
		a->mode = (mode_t)mode;
		a->perms |= SOCK_MODE;
		return (0);
	}
	if (strncmp(word, "owner=", 6) == 0) {
		*why = "owner is no user here";
		a->perms |= SOCK_OWNER;
		return (sock_owner(word + 6, 0, &a->uid));
	}
	if (strncmp(word, "group=", 6) == 0) {
		*why = "group is no group here";
		a->perms |= SOCK_GROUP;
		return (sock_owner(word + 6, 1, &a->gid));
	}
	return (1);
}

static int
sock_parse_unix(const char *text, struct sock_addr *a, const char **why)
{
	struct sockaddr_un	*un = (struct sockaddr_un *)(void *)&a->ss;
	char			 path[512], *word;
	int			 rc;

	*why = "the path is longer than 107 bytes";
	if (snprintf(path, sizeof(path), "%s", text) >= (int)sizeof(path))
		goto bad;
	/* From the end: a path may have spaces. */
	while ((word = strrchr(path, ' ')) != NULL) {
		if ((rc = sock_perm(word + 1, a, why)) == -1)
			goto bad;
		if (rc == 1)
			break;
		while (word > path && word[-1] == ' ')
			word--;
		*word = '\0';
	}
	if (*path == '\0') {
		*why = "no path behind unix:";
		goto bad;
	}
	if (strlen(path) >= sizeof(un->sun_path)) {
		*why = "the path is longer than 107 bytes";
		goto bad;
	}
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, strlen(path) + 1);
	a->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
	    strlen(path) + 1);
	return (0);
bad:
	errno = EINVAL;
	return (-1);
}

/* Host and port, the host without brackets; "" and "*" mean all addresses. */
static int
sock_parse_inet(const char *host, const char *port, struct sock_addr *a,
    const char **why)
{
	struct addrinfo	 hints = { .ai_socktype = SOCK_STREAM }, *res;
	struct in_addr	 v4;
	uint64_t	 n;

	if (slice_u64(slice_str(port), 65535, &n) == -1 || n == 0) {
		*why = "the port must be a number from 1 to 65535";
		errno = EINVAL;
		return (-1);
	}
	if (*host == '\0' || strcmp(host, "*") == 0) {
		a->v6_and_v4 = 1;
		host = "::";
	}
	hints.ai_flags = AI_NUMERICSERV;
	if (strcmp(host, "localhost") == 0)
		host = "127.0.0.1";
	/* getaddrinfo takes "1.2.3" and "1" for addresses too. */
	if (host[strspn(host, "0123456789.")] == '\0' &&
	    inet_pton(AF_INET, host, &v4) != 1) {
		*why = "a v4 address is four numbers with dots between";
		errno = EINVAL;
		return (-1);
	}
	if (getaddrinfo(host, port, &hints, &res) != 0) {
		*why = "no such host or address";
		errno = EINVAL;
		return (-1);
	}
	memcpy(&a->ss, res->ai_addr, res->ai_addrlen);
	a->len = res->ai_addrlen;
	freeaddrinfo(res);
	return (0);
}

int
sock_parse(const char *text, struct sock_addr *a, const char **why)
{
	char		 host[256];
	const char	*port;
	size_t		 len;

	memset(a, 0, sizeof(*a));
	if (strncmp(text, "unix:", 5) == 0)
		return (sock_parse_unix(text + 5, a, why));
	if (*text == '[') {
		port = strchr(text, ']');
		if (port == NULL || port[1] != ':') {
			*why = "a v6 address is written [address]:port";
			errno = EINVAL;
			return (-1);
		}
		text++;
		len = (size_t)(port - text);
		port += 2;
	} else if ((port = strrchr(text, ':')) != NULL) {
		len = (size_t)(port - text);
		if (memchr(text, ':', len) != NULL) {
			*why = "a v6 address is written [address]:port";
			errno = EINVAL;
			return (-1);
		}
		port++;
	} else {
		port = text;
		len = 0;
	}
	if (len >= sizeof(host)) {
		*why = "the host name is too long";
		errno = EINVAL;
		return (-1);
	}
	memcpy(host, text, len);
	host[len] = '\0';
	return (sock_parse_inet(host, port, a, why));
}

/* Each connection's, so not by printf. */
static void
sock_format_v4(char *dst, size_t size, const void *addr, unsigned port)
{
	const unsigned char	*a = addr;
	unsigned		 parts[] = { a[0], a[1], a[2], a[3], port };
	char			 text[sizeof("255.255.255.255:65535")];
	char			*at = text, digits[5];
	int			 n;

	for (size_t i = 0; i < nitems(parts); i++) {
		if (i > 0)
			*at++ = i == 4 ? ':' : '.';
		n = 0;
		do
			digits[n++] = (char)('0' + parts[i] % 10);
		while ((parts[i] /= 10) > 0);
		while (n > 0)
			*at++ = digits[--n];
	}
	n = (int)((size_t)(at - text) < size ? (size_t)(at - text) : size - 1);
	memcpy(dst, text, (size_t)n);
	dst[n] = '\0';
}

char *
sock_format(char *dst, size_t size, const struct sockaddr *sa, socklen_t len)
{
	const struct sockaddr_in	*in = (const void *)sa;
	const struct sockaddr_in6	*in6 = (const void *)sa;
	const struct sockaddr_un	*un = (const void *)sa;
	char				 text[INET6_ADDRSTRLEN];

	switch (sa->sa_family) {
	case AF_INET:
		sock_format_v4(dst, size, &in->sin_addr, ntohs(in->sin_port));
		break;
	case AF_INET6:
		if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
			sock_format_v4(dst, size, in6->sin6_addr.s6_addr + 12,
			    ntohs(in6->sin6_port));
			break;
		}
		inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text));
		snprintf(dst, size, "[%s]:%u", text, ntohs(in6->sin6_port));
		break;
	case AF_UNIX:
		if (len <= offsetof(struct sockaddr_un, sun_path) ||
		    un->sun_path[0] == '\0')
			snprintf(dst, size, "unix:");
		else
			snprintf(dst, size, "unix:%.*s",
			    (int)(len - offsetof(struct sockaddr_un, sun_path)),
			    un->sun_path);
		break;
	default:
		snprintf(dst, size, "family %d", sa->sa_family);
		break;
	}
	return (dst);
}

/* Remove the file of a Unix socket that nobody answers: 0, or EADDRINUSE. */
static int
sock_clear_stale(const struct sock_addr *a, int type)
{
	const struct sockaddr_un	*un = (const void *)&a->ss;
	struct stat			 st;
	int				 fd;

	if (lstat(un->sun_path, &st) == -1)
		return (0);
	if (!S_ISSOCK(st.st_mode)) {
		errno = EADDRINUSE;
		return (-1);
	}
	if ((fd = sock_connect_unix(un->sun_path, type)) != -1) {
		close(fd);
		errno = EADDRINUSE;
		return (-1);
	}
	/* Anything but a refusal may be somebody: busy, or of another type. */
	if (errno != ECONNREFUSED) {
		errno = EADDRINUSE;
		return (-1);
	}
	return (unlink(un->sun_path));
}

/* Give the file of a bound Unix socket its owner and mode. */
static int
sock_permit(const struct sock_addr *a)
{
	const struct sockaddr_un	*un = (const void *)&a->ss;

	if ((a->perms & (SOCK_OWNER | SOCK_GROUP)) && lchown(un->sun_path,
	    a->perms & SOCK_OWNER ? a->uid : (uid_t)-1,
	    a->perms & SOCK_GROUP ? a->gid : (gid_t)-1) == -1)
		return (-1);
	return (a->perms & SOCK_MODE ? chmod(un->sun_path, a->mode) : 0);
}

int
sock_listen(const struct sock_addr *a, int type, int backlog)
{
	const struct sockaddr_un	*un = (const void *)&a->ss;
	int	 fd = -1, one = 1, zero = 0, keep;

	if (a->ss.ss_family == AF_UNIX && sock_clear_stale(a, type) == -1)
		return (-1);
	fd = socket(a->ss.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1 && errno == EAFNOSUPPORT && a->v6_and_v4) {
		/* A machine without IPv6. */
		struct sock_addr	 v4 = { .len = 0 };
		struct sockaddr_in	*in = (void *)&v4.ss;

		v4.len = sizeof(*in);
		in->sin_family = AF_INET;
		in->sin_port = ((const struct sockaddr_in6 *)
		    (const void *)&a->ss)->sin6_port;
		return (sock_listen(&v4, type, backlog));
	}
	if (fd == -1)
		return (-1);
	/* What it accepts inherits TCP_NODELAY (Linux), and need not ask. */
	if (a->ss.ss_family != AF_UNIX &&
	    (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one,
	    sizeof(one)) == -1 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == -1))
		goto fail;
	if (a->ss.ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6,
	    IPV6_V6ONLY, a->v6_and_v4 ? &zero : &one, sizeof(one)) == -1)
		goto fail;
	if (bind(fd, (const struct sockaddr *)&a->ss, a->len) == -1)
		goto fail;
	if (sock_permit(a) == -1 || listen(fd, backlog) == -1) {
		keep = errno;
		if (a->ss.ss_family == AF_UNIX)
			unlink(un->sun_path);
		errno = keep;
		goto fail;
	}
	return (fd);
fail:
	keep = errno;
	close(fd);
	errno = keep;
	return (-1);
}

int
sock_connect_unix(const char *path, int type)
{
	struct sockaddr_un	 un = { .sun_family = AF_UNIX };
	int			 fd, keep;

	if (strlen(path) >= sizeof(un.sun_path)) {
		errno = ENAMETOOLONG;
		return (-1);
	}
	memcpy(un.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return (-1);
	if (connect(fd, (struct sockaddr *)&un, sizeof(un)) == -1) {
		keep = errno;
		close(fd);
		errno = keep;
		return (-1);
	}
	return (fd);
}

int
sock_peer(int fd, pid_t *pid, uid_t *uid)
{
	struct ucred	 cred;
	socklen_t	 len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1)
		return (-1);
	if (pid != NULL)
		*pid = cred.pid;
	if (uid != NULL)
		*uid = cred.uid;
	return (0);
}

int
sock_is_stream(int fd)
{
	socklen_t	 len = sizeof(int);
	int		 type;

	return (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	    type == SOCK_STREAM);
}

size_t
sock_unsent(int fd)
{
	int	 n;

	return (ioctl(fd, SIOCOUTQ, &n) == -1 || n < 0 ? 0 : (size_t)n);
}

void
sock_end(int fd, int reset)
{
	struct sockaddr	 nowhere = { .sa_family = AF_UNSPEC };

	if (fd == -1)
		return;
	/* Connected to nowhere, TCP resets at once, whoever else has it open;
	 * SO_LINGER 0 would wait for the last of them to close. */
	if (!reset || connect(fd, &nowhere, sizeof(nowhere)) == -1)
		shutdown(fd, SHUT_RDWR);
	close(fd);
}
