/*
 * A load generator for servers of fast-tcp, whose every answer is checked.
 *
 *	load_fast PORT MODE CONNS MESSAGES SIZE FLIGHT [DIALECT [PORT2]]
 *
 * DIALECT 2: clients of @gatejs/cluster, of a listener that takes any proof.  PORT2: where all
 * but the first one connect, to a server that is linked to the other.
 *
 * modes: ack	each connection keeps FLIGHT questions "echo" outstanding
 *	  all	the first one broadcasts, the others count; FLIGHT messages at once
 *	  room	the same to a room in which the others are
 *	  stream	the first one streams MESSAGES chunks of SIZE to the others
 *
 * Says "ready" when all are connected, begins at a line on stdin, and says how many
 * messages there were and how many seconds they took; then waits for stdin's end.
 */
#include <sys/epoll.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define IN_MAX	(1 << 18)

enum { AUTH_HMAC = 2, DOWNLINK = 4, AUTH_SEED = 101, MOVED = 98 };	/* dialect 2 */
enum { REGISTER = 1, DATA = 2, TO_ROOM = 4, BROADCAST = 5, DATA_WITH_ACK = 6, ACK = 7,
    JOIN = 8, OPEN = 11, CHUNK = 12, CLOSE = 13, OPEN_TO_ROOM = 16 };

struct peer {
	int		 fd;
	char		*in;
	size_t		 len;		/* of a frame that is not whole */
	size_t		 skip;		/* bytes of a chunk to come */
	uint64_t	 got, sent, bytes;
	int		 up, ended;
};

static struct peer	*peers;
static size_t		 npeers, up, ended;
static uint64_t		 done, messages;	/* answers, deliveries */
static size_t		 size, flight;
static int		 two;		/* dialect 2 */
static size_t		 more;		/* bytes that a frame's head has there */
static int		 ep;
static char		*out;
static size_t		 out_len, out_at;

static _Noreturn void
fail(const char *why)
{
	fprintf(stderr, "%s: %s\n", why, strerror(errno));
	exit(1);
}

static char *
put(char *p, uint32_t v, int n)
{
	for (int i = 0; i < n; i++)
		p[i] = (char)(v >> (8 * i));
	return (p + n);
}

static uint32_t
get(const char *p)
{
	const unsigned char	*b = (const unsigned char *)p;

	return (b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
	    (uint32_t)b[3] << 24);
}

/* A frame into p, its data filled but for the number seq.  id 0: kind is as it stands in dialect
 * 2.  Returns its length. */
static size_t
frame(char *p, int kind, const char *event, uint32_t id, uint32_t seq, size_t n,
    int type)
{
	size_t	 e = strlen(event);
	char	*at = put(p, (uint32_t)(14 + more + e + n), 4);

	*at++ = two ? 2 : 1;
	*at++ = 0;
	*at++ = (char)type;
	*at++ = (char)(two && id != 0 ? kind + MOVED : kind);
	if (two)
		at = put(at, 1, 2);	/* the policy, and no cells */
	at = put(at, id == 0 ? 2 : id, 4);
	at = put(at, (uint32_t)e, 2);
	memcpy(at, event, e);
	at = put(at + e, (uint32_t)n, 4);
	memset(at, 'x', n);
	if (n >= 4)
		put(at, seq, 4);
	return ((size_t)(at - p) + n);
}

/* Write all, the server being as fast as it likes. */
static void
write_all(struct peer *c, const char *p, size_t n)
{
	struct timespec	 t = { 0, 100000 };
	ssize_t		 w;

	while (n > 0) {
		w = send(c->fd, p, n, MSG_NOSIGNAL);
		if (w == -1 && errno == EAGAIN) {
			nanosleep(&t, NULL);
			continue;
		}
		if (w == -1)
			fail("send");
		p += w;
		n -= (size_t)w;
	}
}

/* n questions of c, in one write. */
static void
ask(struct peer *c, size_t n)
{
	size_t	 len = 0;

	while (n-- > 0) {
		c->sent++;
		len += frame(out + len, DATA_WITH_ACK, "echo",
		    (uint32_t)(c->sent + 1), (uint32_t)c->sent, size, 2);
	}
	write_all(c, out, len);
}

/* What a frame is, as dialect 1 has it. */
static int
kind_of(const char *f)
{
	int	 kind = (unsigned char)f[7];

	if (!two)
		return (kind);
	return (kind == 1 ? AUTH_SEED : kind == 5 ? REGISTER : kind - MOVED);
}

/* c is a client; any proof is good. */
static void
prove(struct peer *c)
{
	char	 hello[256];
	size_t	 len = frame(hello, AUTH_HMAC, "", 0, 0, 64, 1);

	len += frame(hello + len, DOWNLINK, "", 0, 0, 0, 1);
	write_all(c, hello, len);
}

/* A frame of c's whose head, and whose data but for a chunk's, is here. */
static void
take(struct peer *c, const char *f, size_t e)
{
	uint32_t	 seq, id = get(f + 8 + more);

	f += more;			/* what follows the type stands there */
	seq = get(f + 14 + e) >= 4 ? get(f + 18 + e) : 0;
	switch (kind_of(f - more)) {
	case AUTH_SEED:
		prove(c);
		break;
	case REGISTER:
		c->up = 1;
		up++;
		break;
	case ACK:
		if (id != c->got + 2 || seq != c->got + 1) {
			fprintf(stderr, "answer %u, not %llu\n", seq,
			    (unsigned long long)c->got + 1);
			exit(1);
		}
		c->got++;
		done++;
		break;
	case DATA:
		if (seq != ++c->got) {
			fprintf(stderr, "message %u, not %llu\n", seq,
			    (unsigned long long)c->got);
			exit(1);
		}
		done++;
		break;
	case CHUNK:
		c->bytes += get(f + 14 + e);
		break;
	case CLOSE:
		ended++;
		break;
	}
}

/* Read what c has got. */
static void
hear(struct peer *c)
{
	ssize_t	 n = recv(c->fd, c->in + c->len, IN_MAX - c->len, 0);
	size_t	 at = 0, e, whole;

	if (n == -1 && errno == EAGAIN)
		return;
	if (n <= 0)
		fail("closed");
	c->len += (size_t)n;
	while (at < c->len) {
		if (c->skip > 0) {
			whole = c->len - at < c->skip ? c->len - at : c->skip;
			c->skip -= whole;
			at += whole;
			continue;
		}
		if (c->len - at < 18 + more)
			break;
		e = get(c->in + at + 12 + more) & 0xffff;
		whole = get(c->in + at) + 4;
		if (kind_of(c->in + at) == CHUNK) {
			if (c->len - at < 18 + more + e)
				break;
			take(c, c->in + at, e);
			c->skip = whole;
			continue;
		}
		if (c->len - at < whole)
			break;
		take(c, c->in + at, e);
		at += whole;
	}
	memmove(c->in, c->in + at, c->len - at);
	c->len -= at;
}

/* One turn: those who have something to read read it. */
static void
turn(int ms)
{
	struct epoll_event	 ev[256];
	int			 n = epoll_wait(ep, ev, 256, ms);

	for (int i = 0; i < n; i++)
		hear(ev[i].data.ptr);
}

static void
open_all(uint16_t first, uint16_t others)
{
	struct sockaddr_in	 sa = { .sin_family = AF_INET };
	struct epoll_event	 ev = { .events = EPOLLIN };
	int			 one = 1;

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (size_t i = 0; i < npeers; i++) {
		sa.sin_port = htons(i == 0 ? first : others);
		peers[i].in = malloc(IN_MAX);
		peers[i].fd = socket(AF_INET, SOCK_STREAM, 0);
		if (peers[i].in == NULL || peers[i].fd == -1 ||
		    connect(peers[i].fd, (struct sockaddr *)&sa, sizeof(sa)) ==
		    -1)
			fail("connect");
		setsockopt(peers[i].fd, IPPROTO_TCP, TCP_NODELAY, &one,
		    sizeof(one));
		fcntl(peers[i].fd, F_SETFL, O_NONBLOCK);
		ev.data.ptr = &peers[i];
		epoll_ctl(ep, EPOLL_CTL_ADD, peers[i].fd, &ev);
		while (up <= i)
			turn(1000);
	}
}

/* Questions and answers, until there were as many as wanted. */
static void
run_ack(void)
{
	uint64_t	 each = messages / npeers, now;

	for (size_t i = 0; i < npeers; i++)
		ask(&peers[i], flight);
	while (done < each * npeers) {
		turn(1000);
		for (size_t i = 0; i < npeers; i++) {
			struct peer	*c = &peers[i];

			now = flight - (c->sent - c->got);
			if (now > each - c->sent)
				now = each - c->sent;
			if (now > 0)
				ask(c, now);
		}
	}
}

/* All others hear the first one: the link between their servers is up. */
static void
meet(void)
{
	size_t		 len = frame(out, BROADCAST, "m", 9, 1, size, 2), n;
	struct timespec	 from, now;

	do {
		write_all(&peers[0], out, len);
		clock_gettime(CLOCK_MONOTONIC, &from);
		do {
			turn(10);
			for (size_t i = 1; i < npeers; i++)
				peers[i].got = 0;	/* each is its first */
			clock_gettime(CLOCK_MONOTONIC, &now);
		} while (now.tv_sec - from.tv_sec < 2);
		n = done;
	} while (n == 0 || n % (npeers - 1) != 0);
	for (size_t i = 1; i < npeers; i++)
		peers[i].got = 0;
}

/* From one to all others, flight at a time. */
static void
run_fan(int kind)
{
	uint64_t	 sent = 0;
	size_t		 len;

	while (sent < messages) {
		len = 0;
		for (size_t i = 0; i < flight && sent < messages; i++) {
			sent++;
			len += frame(out + len, kind, kind == TO_ROOM ? "r|m" :
			    "m", 9, (uint32_t)sent, size, 2);
		}
		write_all(&peers[0], out, len);
		while (done < sent * (npeers - 1))
			turn(1000);
	}
}

/* A stream from one to all others. */
static void
run_stream(void)
{
	ssize_t	 n;
	size_t	 len = frame(out, OPEN_TO_ROOM, "r|s", 9, 0, 0, 1);
	uint64_t chunks = 0;

	write_all(&peers[0], out, len);
	len = frame(out, CHUNK, "", 9, 0, size, 2);
	while (ended < npeers - 1) {
		if (chunks < messages) {
			n = send(peers[0].fd, out + out_at, len - out_at,
			    MSG_NOSIGNAL);
			if (n == -1 && errno != EAGAIN)
				fail("send");
			if (n > 0 && (out_at += (size_t)n) == len) {
				out_at = 0;
				if (++chunks == messages) {
					len = frame(out, CLOSE, "", 9, 0, 0, 1);
					write_all(&peers[0], out, len);
				}
			}
			turn(n == -1 ? 1 : 0);
		} else
			turn(1000);
	}
	for (size_t i = 1; i < npeers; i++)
		if (peers[i].bytes != messages * size)
			fail("bytes of a stream are missing");
	done = messages * (npeers - 1);
}

int
main(int argc, char **argv)
{
	struct timespec	 from, to;
	const char	*mode;
	char		 line[16];
	size_t		 len;

	if (argc < 7 || argc > 9)
		return (2);
	two = argc > 7 && atoi(argv[7]) == 2;
	more = two ? 2 : 0;
	mode = argv[2];
	npeers = (size_t)atol(argv[3]);
	messages = (uint64_t)atoll(argv[4]);
	size = (size_t)atol(argv[5]);
	flight = (size_t)atol(argv[6]);
	out_len = flight * (size + 64) + 512;
	if ((ep = epoll_create1(0)) == -1 || (out = malloc(out_len)) == NULL ||
	    (peers = calloc(npeers, sizeof(*peers))) == NULL)
		fail("no room");
	open_all((uint16_t)atoi(argv[1]), (uint16_t)atoi(argv[argc == 9 ? 8 : 1]));
	for (size_t i = 1; strcmp(mode, "ack") != 0 && i < npeers; i++) {
		len = frame(out, JOIN, "", 2, 0, 1, 1);
		out[len - 1] = 'r';
		/* Answered: it is in. */
		len += frame(out + len, DATA_WITH_ACK, "echo", 2, 1, 4, 2);
		write_all(&peers[i], out, len);
		while (done < i)
			turn(1000);
		peers[i].got = 0;
	}
	if (argc == 9)
		meet();
	done = 0;
	printf("ready\n");
	fflush(stdout);
	if (fgets(line, sizeof(line), stdin) == NULL)
		return (1);
	clock_gettime(CLOCK_MONOTONIC, &from);
	if (strcmp(mode, "ack") == 0)
		run_ack();
	else if (strcmp(mode, "stream") == 0)
		run_stream();
	else
		run_fan(strcmp(mode, "room") == 0 ? TO_ROOM : BROADCAST);
	clock_gettime(CLOCK_MONOTONIC, &to);
	printf("%llu %.6f\n", (unsigned long long)done,
	    (double)(to.tv_sec - from.tv_sec) +
	    (double)(to.tv_nsec - from.tv_nsec) / 1e9);
	fflush(stdout);
	(void)!fgets(line, sizeof(line), stdin);
	return (0);
}
