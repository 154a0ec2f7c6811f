/*
 * WebSocket clients over epoll: handshake, frames, pongs.  They read into one
 * buffer of the process, so that a silent one costs next to nothing here.
 */
#include <sys/epoll.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

#define CHUNK	(1 << 20)

static const unsigned char	 mask[4] = { 0x5a, 0xc3, 0x17, 0x88 };

static int	 ep;
static char	*in;			/* what is being read, and its room */
static size_t	 in_cap;
static char	*out;			/* what is being said */
static size_t	 nout, out_cap;
static char	*padding, *masked;	/* opt.size of 'x', plain and masked */
static int	 raw;			/* TCP as it is */

void
conns_init(int go)
{
	struct epoll_event	 ev = { .events = EPOLLIN };

	if ((ep = epoll_create1(0)) == -1 ||
	    epoll_ctl(ep, EPOLL_CTL_ADD, go, &ev) == -1)
		fail("epoll: %s", strerror(errno));
	raw = strcmp(opt.path, "raw:") == 0;
	padding = malloc(opt.size + 1);
	masked = malloc(opt.size + 1);
	for (size_t i = 0; i < opt.size; i++) {
		padding[i] = 'x';
		masked[i] = (char)('x' ^ mask[i & 3]);
	}
}

static void
conn_watch(struct conn *c, int op)
{
	struct epoll_event	 ev = { .events = EPOLLIN, .data.ptr = c };

	if (c->writing)
		ev.events |= EPOLLOUT;
	if (epoll_ctl(ep, op, c->fd, &ev) == -1)
		fail("epoll_ctl: %s", strerror(errno));
}

/* ---- out ---- */

static void
conn_write(struct conn *c, const char *p, size_t n)
{
	ssize_t	 w = 0;

	if (n == 0)
		return;
	if (c->nout == 0 && (w = send(c->fd, p, n, MSG_NOSIGNAL)) == -1) {
		if (errno != EAGAIN)
			fail("connection %u: send: %s", c->number,
			    strerror(errno));
		w = 0;
	}
	if ((size_t)w == n)
		return;
	p += w, n -= (size_t)w;
	if ((c->out = realloc(c->out, c->nout + n)) == NULL)
		fail("no memory");
	memcpy(c->out + c->nout, p, n);
	c->nout += n;
	if (!c->writing) {
		c->writing = 1;
		conn_watch(c, EPOLL_CTL_MOD);
	}
}

static void
conn_writable(struct conn *c)
{
	ssize_t	 w = send(c->fd, c->out, c->nout, MSG_NOSIGNAL);

	if (w == -1 && errno != EAGAIN)
		fail("connection %u: send: %s", c->number, strerror(errno));
	if (w <= 0)
		return;
	c->nout -= (size_t)w;
	memmove(c->out, c->out + w, c->nout);
	if (c->nout > 0)
		return;
	free(c->out);
	c->out = NULL;
	c->writing = 0;
	conn_watch(c, EPOLL_CTL_MOD);
}

/* The head of a masked frame of len bytes; returns its size. */
static size_t
frame_head(char *dst, int opcode, size_t len)
{
	size_t	 h = 2;

	dst[0] = (char)(0x80 | opcode);
	if (len < 126)
		dst[1] = (char)(0x80 | len);
	else if (len < 65536) {
		dst[1] = (char)(0x80 | 126);
		dst[2] = (char)(len >> 8), dst[3] = (char)len;
		h = 4;
	} else {
		dst[1] = (char)(0x80 | 127);
		for (int i = 0; i < 8; i++)
			dst[2 + i] = (char)(len >> (56 - 8 * i));
		h = 10;
	}
	memcpy(dst + h, mask, 4);
	return (h + 4);
}

/* A message with something before and behind. */
static void
conn_wrap(const char *begin, const char *end, const char *head, size_t n)
{
	size_t	 len = n > opt.size ? n : opt.size, h, at = strlen(begin);
	char	*text;

	h = frame_head(out + nout, 1, at + len + strlen(end));
	text = out + nout + h;
	memcpy(text, begin, at);
	memcpy(text + at, padding, len > n ? len : 0);
	memcpy(text + at, head, n);
	memcpy(text + at + len, end, strlen(end));
	len += at + strlen(end);
	for (size_t i = 0; i < len; i++)
		text[i] ^= mask[i & 3];
	nout += h + len;
}

/* A call with this argument, which no other call is equal to. */
static void
conn_call(const char *head, size_t n)
{
	char		 begin[64], end[64];
	struct timespec	 now;

	clock_gettime(CLOCK_REALTIME, &now);
	sprintf(begin, "{\"type\":\"/%s\",\"data\":\"",
	    opt.mode == FAN ? "message" : "echo");
	sprintf(end, "\",\"createdAt<!D>\":%llu}",
	    (unsigned long long)now.tv_sec * 1000 +
	    (unsigned long long)now.tv_nsec / 1000000);
	conn_wrap(begin, end, head, n);
}

/* A short text, at once. */
static void
conn_text(struct conn *c, const char *text)
{
	char	 frame[14 + 64];
	size_t	 n = strlen(text), h = frame_head(frame, 1, n);

	for (size_t i = 0; i < n; i++)
		frame[h + i] = (char)(text[i] ^ mask[i & 3]);
	conn_write(c, frame, h + n);
}

void
conn_subscribe(struct conn *c)
{
	conn_text(c, "{\"subscribe\":\"/message\"}");
}

/* What of a message is ours, a text behind that name; 0: nothing is. */
static size_t
conn_data(const char **p, size_t len, const char *name)
{
	const char	*at = memmem(*p, len, name, strlen(name));
	const char	*end = *p + len, *quote;

	if (at == NULL)
		return (0);
	at += strlen(name);
	quote = memchr(at, '"', (size_t)(end - at));
	*p = at;
	return (quote == NULL ? 0 : (size_t)(quote - at));
}

/* What Socket.IO says of itself: whether text was that. */
static int
conn_sio(struct conn *c, const char *p, size_t len)
{
	if (len > 0 && p[0] == '0')		/* open */
		conn_text(c, "40");
	else if (len > 1 && memcmp(p, "40", 2) == 0)
		job_up(c);
	else if (len == 1 && p[0] == '2')	/* ping */
		conn_text(c, "3");
	else
		return (0);
	return (1);
}

void
conn_say(struct conn *c, const char *head, size_t n)
{
	size_t	 len = n > opt.size ? n : opt.size, h;
	size_t	 room = len + 14 + (opt.ape ? 128 : 0);

	if (nout > 0 && nout + room > CHUNK)
		conn_flush(c);
	if (nout + room > out_cap) {
		out_cap = nout + room + CHUNK;
		if ((out = realloc(out, out_cap)) == NULL)
			fail("no memory");
	}
	if (opt.ape) {
		conn_call(head, n);
		return;
	}
	if (opt.sio) {
		conn_wrap("42[\"m\",\"", "\"]", head, n);
		return;
	}
	if (raw) {
		uint32_t	 size = (uint32_t)len;

		memcpy(out + nout, &size, 4);
		memcpy(out + nout + 4, padding, len > n ? len : 0);
		memcpy(out + nout + 4, head, n);
		nout += 4 + len;
		return;
	}
	h = frame_head(out + nout, 1, len);
	memcpy(out + nout + h, masked, len > n ? len : 0);
	for (size_t i = 0; i < n; i++)
		out[nout + h + i] = (char)(head[i] ^ mask[i & 3]);
	nout += h + len;
}

void
conn_flush(struct conn *c)
{
	size_t	 n = nout;

	nout = 0;
	conn_write(c, out, n);
}

int
conn_padded(const char *text, size_t n, size_t len)
{
	if (n >= opt.size)
		return (len == n);
	return (len == opt.size && memcmp(text + n, padding, len - n) == 0);
}

/* ---- in ---- */

static void
conn_pong(struct conn *c, const char *p, size_t len)
{
	char	 frame[14 + 125];
	size_t	 h = frame_head(frame, 10, len);

	for (size_t i = 0; i < len; i++)
		frame[h + i] = (char)(p[i] ^ mask[i & 3]);
	conn_write(c, frame, h + len);
}

static void
conn_frame(struct conn *c, int first, const char *p, size_t len)
{
	switch (first) {
	case 0x81:
		if (opt.sio && conn_sio(c, p, len))
			break;
		if ((!opt.ape && !opt.sio) || (len = conn_data(&p, len, opt.sio ?
		    "42[\"m\",\"" : "\"data\":\"")) > 0)
			job_got(c, p, len);
		break;
	case 0x88:
		fail("connection %u: closed with %d", c->number, len < 2 ? 1005 :
		    (unsigned char)p[0] << 8 | (unsigned char)p[1]);
	case 0x89:
		if (len < 126) {
			conn_pong(c, p, len);
			break;
		}
		/* FALLTHROUGH */
	default:
		fail("connection %u: a frame with %#x", c->number,
		    (unsigned)first);
	}
}

/* The same of raw messages. */
static size_t
conn_messages(struct conn *c, const char *p, size_t n)
{
	size_t		 at = 0;
	uint32_t	 len;

	while (n - at >= 4) {
		memcpy(&len, p + at, 4);
		if (n - at - 4 < len)
			break;
		job_got(c, p + at + 4, len);
		at += 4 + len;
	}
	return (at);
}

/* All whole frames of the n bytes at p; returns how many bytes they are. */
static size_t
conn_frames(struct conn *c, const char *p, size_t n)
{
	size_t	 at = 0, h;

	while (n - at >= 2) {
		const unsigned char	*b = (const unsigned char *)p + at;
		uint64_t		 len = b[1];

		h = len == 126 ? 4 : len == 127 ? 10 : 2;
		if (n - at < h)
			break;
		if (h > 2)
			len = 0;
		for (size_t i = 2; i < h; i++)
			len = len << 8 | b[i];
		if (n - at - h < len)
			break;
		conn_frame(c, b[0], p + at + h, len);
		at += h + len;
	}
	return (at);
}

/* Returns the length of the response's head, 0 if it is not whole yet. */
static size_t
conn_upgraded(struct conn *c, const char *p, size_t n)
{
	const char	*end = memmem(p, n, "\r\n\r\n", 4);

	if (end == NULL)
		return (0);
	if (n < 12 || memcmp(p, "HTTP/1.1 101", 12) != 0)
		fail("connection %u: refused: %.60s", c->number, p);
	c->up = 1;
	return ((size_t)(end + 4 - p));
}

static void
conn_readable(struct conn *c)
{
	size_t	 n = c->nin, at = 0;
	ssize_t	 r;

	if (n + CHUNK + 1 > in_cap) {
		in_cap = n + 2 * CHUNK;
		if ((in = realloc(in, in_cap)) == NULL)
			fail("no memory");
	}
	if (n > 0)
		memcpy(in, c->in, n);
	if ((r = recv(c->fd, in + n, CHUNK, 0)) <= 0) {
		if (r == -1 && errno == EAGAIN)
			return;
		fail("connection %u: lost: %s", c->number,
		    r == 0 ? "ended" : strerror(errno));
	}
	n += (size_t)r;
	in[n] = '\0';
	if (!c->up && (at = conn_upgraded(c, in, n)) > 0) {
		if (!opt.sio)		/* there follows a greeting */
			job_up(c);
		if (!c->up)		/* and closed: perhaps another by now */
			return;
	}
	if (c->up)
		at += raw ? conn_messages(c, in, n) :
		    conn_frames(c, in + at, n - at);
	c->nin = n - at;
	if (c->nin == 0) {
		free(c->in);
		c->in = NULL;
	} else {
		if ((c->in = realloc(c->in, c->nin)) == NULL)
			fail("no memory");
		memcpy(c->in, in + at, c->nin);
	}
	job_pay();
}

int
conns_turn(int ms)
{
	struct epoll_event	 ev[512];
	int			 n;

	if ((n = epoll_wait(ep, ev, 512, ms)) == -1 && errno != EINTR)
		fail("epoll_wait: %s", strerror(errno));
	for (int i = 0; i < n; i++) {
		struct conn	*c = ev[i].data.ptr;

		if (c == NULL)
			continue;
		if (ev[i].events & EPOLLOUT)
			conn_writable(c);
		if (ev[i].events & ~(uint32_t)EPOLLOUT)
			conn_readable(c);
	}
	return (n);
}

/* ---- birth and death ---- */

/* %d is the connection's number, %g its group's. */
static void
conn_target(const struct conn *c, char *dst, size_t size)
{
	const char	*p = c->deaf && opt.sender_path != NULL ?
			    opt.sender_path : opt.path;
	size_t		 n = 0;

	if (opt.sio)
		n = (size_t)sprintf(dst,
		    "/socket.io/?EIO=4&transport=websocket&path=");
	for (; *p != '\0' && n + 16 < size; p++)
		if (p[0] == '%' && (p[1] == 'd' || p[1] == 'g'))
			n += (size_t)sprintf(dst + n, "%u", *++p == 'd' ?
			    c->number : c->number / (opt.conns / opt.groups));
		else
			dst[n++] = opt.sio && *p == '?' ? '&' : *p;
	dst[n] = '\0';
}

void
conn_open(struct conn *c, unsigned number)
{
	struct sockaddr_in	 to = { .sin_family = AF_INET };
	struct sockaddr_in	 from = { .sin_family = AF_INET };
	char			 target[256], head[512];
	int			 one = 1, n;

	c->number = number;
	c->opened_at = now_ns();
	if ((c->fd = socket(AF_INET, SOCK_STREAM, 0)) == -1)
		fail("connection %u: socket: %s", number, strerror(errno));
	/* One address has 28 000 ports only, and the kernel searches long for
	 * the last of them. */
	from.sin_addr.s_addr = htonl(0x7f000001 + number / 5000 % 250);
	setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one,
	    sizeof(one));
	to.sin_port = htons((uint16_t)opt.ports[number % opt.nports]);
	inet_pton(AF_INET, opt.host, &to.sin_addr);
	if (bind(c->fd, (struct sockaddr *)&from, sizeof(from)) == -1 ||
	    connect(c->fd, (struct sockaddr *)&to, sizeof(to)) == -1)
		fail("connection %u: connect: %s", number, strerror(errno));
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	conn_watch(c, EPOLL_CTL_ADD);
	if (raw) {
		c->up = 1;
		job_up(c);
		return;
	}
	conn_target(c, target, sizeof(target));
	n = snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: bench\r\n"
	    "Upgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	    "Sec-WebSocket-Version: 13\r\n\r\n", target);
	conn_write(c, head, (size_t)n);
}

void
conn_close(struct conn *c)
{
	struct linger	 l = { 1, 0 };	/* no TIME_WAIT: ports come back */

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(c->fd);
	free(c->in);
	free(c->out);
	c->in = c->out = NULL;
	c->nin = c->nout = 0;
	c->up = c->writing = 0;
}
