/*
 * The floor: the least plain C program with epoll that does what the benchmark
 * asks for.  One process, no limits, no errors handled, nothing checked: never
 * put it on a network.
 *
 *	floor PORT	paths: /echo, /fan/<number> (to all others of this group),
 *			/whisper ("<to> ...")
 *	floor PORT raw	no WebSocket: echoes messages that begin with their length
 */
#include <sys/epoll.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/sha.h>

enum { HEAD, ECHO, FAN, WHISPER, RAW };

#define MAX	20000		/* connections, groups, users */
#define FRAME	(1 << 20)

struct conn {
	int	 fd, kind, dirty;
	unsigned uid, group;
	size_t	 nin;
	char	*in;			/* a frame in parts */
	char	*out;
	size_t	 nout, cap;
};

static struct group {
	struct conn	**member;
	size_t		  n;
} groups[MAX];
static struct conn	*who[MAX], *dirty[MAX];
static size_t		 ndirty;
static char		 buf[65536];

static void
out(struct conn *c, const void *p, size_t n)
{
	if (c->nout + n > c->cap)
		c->out = realloc(c->out, c->cap = (c->nout + n) * 2);
	memcpy(c->out + c->nout, p, n);
	c->nout += n;
	if (!c->dirty)
		dirty[ndirty++] = c, c->dirty = 1;
}

static void
message(struct conn *c, char *data, size_t len)
{
	static char	 frame[FRAME + 10];
	struct group	*g = &groups[c->group];
	size_t		 h = 2;

	frame[0] = (char)0x81;
	if (len < 126)
		frame[1] = (char)len;
	else if (len < 65536)
		frame[1] = 126, frame[2] = (char)(len >> 8),
		    frame[3] = (char)len, h = 4;
	else
		for (frame[1] = 127; h < 10; h++)
			frame[h] = (char)(len >> (8 * (9 - h)));
	memcpy(frame + h, data, len);
	switch (c->kind) {
	case ECHO:
		out(c, frame, h + len);
		break;
	case FAN:
		for (size_t i = 0; i < g->n; i++)
			if (g->member[i] != c)
				out(g->member[i], frame, h + len);
		break;
	case WHISPER:
		data[len - 1] = '\0';
		if (who[atoi(data)] != NULL)
			out(who[atoi(data)], frame, h + len);
		break;
	}
}

static void
upgrade(struct conn *c)
{
	char		 text[128], answer[256], *key;
	unsigned char	 sha[20], b64[32];
	struct group	*g;

	if ((key = strstr(c->in, "Sec-WebSocket-Key: ")) == NULL)
		return;
	snprintf(text, sizeof(text), "%.24s"
	    "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key + 19);
	SHA1((unsigned char *)text, strlen(text), sha);
	EVP_EncodeBlock(b64, sha, 20);
	out(c, answer, (size_t)snprintf(answer, sizeof(answer),
	    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
	    "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", b64));
	c->kind = strstr(c->in, " /fan") ? FAN : strstr(c->in, " /wh") ?
	    WHISPER : ECHO;
	if ((key = strstr(c->in, "u=")) != NULL)
		who[c->uid = (unsigned)atoi(key + 2)] = c;
	if (c->kind == FAN) {
		g = &groups[c->group = (unsigned)atoi(strstr(c->in, " /fan") +
		    6)];
		g->member = realloc(g->member, (g->n + 1) * sizeof(c));
		g->member[g->n++] = c;
	}
	free(c->in);
	c->in = NULL;
	c->nin = 0;
}

static void
unmask(char *p, size_t n, const char *mask)
{
	uint64_t	 key, v;
	uint32_t	 half;
	size_t		 i = 0;

	memcpy(&half, mask, 4);
	key = (uint64_t)half << 32 | half;
	for (; i + 8 <= n; i += 8) {
		memcpy(&v, p + i, 8);
		v ^= key;
		memcpy(p + i, &v, 8);
	}
	for (; i < n; i++)
		p[i] ^= mask[i & 3];
}

static void
frames(struct conn *c, char *p, size_t n)
{
	while (n >= 6) {
		size_t	 len = p[1] & 0x7f, h = 6;

		if (len == 126)
			len = (size_t)((unsigned char)p[2] << 8 |
			    (unsigned char)p[3]), h = 8;
		else if (len == 127) {
			for (len = 0, h = 2; h < 10; h++)
				len = len << 8 | (unsigned char)p[h];
			h = 14;
		}
		if (n < h + len)
			break;
		unmask(p + h, len, p + h - 4);
		if ((p[0] & 0xf) == 1)
			message(c, p + h, len);
		p += h + len, n -= h + len;
	}
	if (n > 0) {
		if (c->in == NULL)
			c->in = malloc(FRAME + sizeof(buf));
		memmove(c->in, p, n);
	}
	c->nin = n;
}

static void
messages(struct conn *c, char *p, size_t n)
{
	uint32_t	 len;

	while (n >= 4) {
		memcpy(&len, p, 4);
		if (n - 4 < len)
			break;
		out(c, p, 4 + len);
		p += 4 + len, n -= 4 + len;
	}
	if (n > 0) {
		if (c->in == NULL)
			c->in = malloc(FRAME + sizeof(buf));
		memmove(c->in, p, n);
	}
	c->nin = n;
}

static void
read_frames(struct conn *c, char *p, size_t n)
{
	if (c->kind == RAW)
		messages(c, p, n);
	else
		frames(c, p, n);
}

static void
readable(struct conn *c)
{
	ssize_t	 n;

	if (c->nin > 0 || c->kind == HEAD) {
		if (c->in == NULL)
			c->in = malloc(FRAME + sizeof(buf));
		n = recv(c->fd, c->in + c->nin, sizeof(buf) - 1, 0);
		if (n > 0 && c->kind == HEAD) {
			c->in[c->nin += (size_t)n] = '\0';
			if (strstr(c->in, "\r\n\r\n") != NULL)
				upgrade(c);
			return;
		}
		if (n > 0)
			read_frames(c, c->in, c->nin + (size_t)n);
	} else if ((n = recv(c->fd, buf, sizeof(buf), 0)) > 0)
		read_frames(c, buf, (size_t)n);
	if (n > 0)
		return;
	for (size_t i = 0; c->kind == FAN && i < groups[c->group].n; i++)
		if (groups[c->group].member[i] == c)
			groups[c->group].member[i] =
			    groups[c->group].member[--groups[c->group].n];
	if (who[c->uid] == c)
		who[c->uid] = NULL;
	close(c->fd);
	free(c->in), free(c->out), free(c);
}

int
main(int argc, char **argv)
{
	struct sockaddr_in	 sa = { .sin_family = AF_INET };
	struct epoll_event	 ev[512];
	int			 ep = epoll_create1(0), l, one = 1, n;

	l = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	sa.sin_port = htons((uint16_t)atoi(argc > 1 ? argv[1] : "8080"));
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(l, (struct sockaddr *)&sa, sizeof(sa)) == -1 ||
	    listen(l, 4096) == -1)
		return (perror("listen"), 1);
	ev[0] = (struct epoll_event){ .events = EPOLLIN };
	epoll_ctl(ep, EPOLL_CTL_ADD, l, &ev[0]);
	for (;;) {
		n = epoll_wait(ep, ev, 512, -1);
		for (int i = 0; i < n; i++) {
			struct conn	*c = ev[i].data.ptr;
			int		 fd;

			if (c != NULL) {
				readable(c);
				continue;
			}
			while ((fd = accept4(l, NULL, NULL,
			    SOCK_NONBLOCK)) >= 0) {
				struct epoll_event e = { .events = EPOLLIN };

				setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
				    sizeof(one));
				e.data.ptr = c = calloc(1, sizeof(*c));
				c->fd = fd;
				c->kind = argc > 2 ? RAW : HEAD;
				epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
			}
		}
		for (size_t i = 0; i < ndirty; i++) {
			struct conn	*c = dirty[i];
			size_t		 at = 0;

			while (at < c->nout) {
				ssize_t w = send(c->fd, c->out + at,
				    c->nout - at, MSG_NOSIGNAL);
				if (w <= 0)
					continue;	/* spins: it is a floor */
				at += (size_t)w;
			}
			c->nout = 0, c->dirty = 0;
		}
		ndirty = 0;
	}
}
