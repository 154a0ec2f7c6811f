/*
 * A WebSocket load generator: one process, epoll, every message checked for
 * loss, order and duplication.  Prints one line of JSON.
 *
 *	load --port 8080 --path /echo --mode echo --conns 50 --flight 16
 *	    --messages 200000 --size 64 --pids 812,813
 *
 * modes: echo     each connection keeps `flight` messages outstanding
 *        fan      one connection sends, all others receive
 *        whisper  the first half sends, each to one of the second half
 *        connect  connect, upgrade, close, `conns` at a time
 *        idle     connect, then print the servers' memory for each
 *
 * With --path /x?u=%d the %d is the connection's number.
 */
#include <sys/epoll.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum mode { ECHO, FAN, WHISPER, CONNECT, IDLE };
static const char *const modes[] = { "echo", "fan", "whisper", "connect",
    "idle" };

struct client {
	int	 fd, up;
	unsigned number;
	uint64_t sent, got;		/* messages */
	uint64_t owe;			/* to send after this read */
	char	*in;
	size_t	 nin, cap;
};

static struct {
	const char	*host, *path, *pids;
	int		 port;
	enum mode	 mode;
	unsigned	 conns, flight;
	uint64_t	 messages;
	size_t		 size;
} opt = { "127.0.0.1", "/echo", "", 8080, ECHO, 50, 1, 100000, 64 };

static int		 ep;
static struct client	*clients;
static uint64_t		 done, wrong, connected;
static uint64_t		*sent_at;	/* ns, by sequence modulo RING */
#define RING	65536
static uint32_t		*lat;		/* microseconds, one a sample */
static size_t		 nlat;

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t
now_ns(void)
{
	struct timespec	 t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return ((uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec);
}

/* CPU time of the servers and all their threads, ns; memory in bytes. */
static void
servers(uint64_t *cpu, uint64_t *anon)
{
	char		 path[96], line[256], *list, *pid, *save = NULL;
	FILE		*f;
	unsigned long long v;

	*cpu = *anon = 0;
	list = strdup(opt.pids);
	for (pid = strtok_r(list, ",", &save); pid != NULL;
	    pid = strtok_r(NULL, ",", &save)) {
		unsigned long	 ut = 0, st = 0;

		snprintf(path, sizeof(path), "/proc/%s/schedstat", pid);
		if ((f = fopen(path, "r")) != NULL) {
			if (fscanf(f, "%llu", &v) == 1)
				*cpu += v;
			fclose(f);
		} else {
			snprintf(path, sizeof(path), "/proc/%s/stat", pid);
			if ((f = fopen(path, "r")) == NULL)
				continue;
			if (fscanf(f, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u "
			    "%*u %*u %*u %lu %lu", &ut, &st) == 2)
				*cpu += (ut + st) * 10000000ull;
			fclose(f);
		}
		snprintf(path, sizeof(path), "/proc/%s/status", pid);
		if ((f = fopen(path, "r")) == NULL)
			continue;
		while (fgets(line, sizeof(line), f) != NULL)
			if (sscanf(line, "RssAnon: %llu", &v) == 1)
				*anon += v * 1024;
		fclose(f);
	}
	free(list);
}

static void
sample(uint64_t ns)
{
	if (nlat < (1u << 20))
		lat[nlat++] = (uint32_t)(ns / 1000);
}

/* A masked text frame: "<number> <sequence> xxxx...". */
static size_t
frame(char *dst, const char *text, size_t len)
{
	static const unsigned char	 mask[4] = { 0x5a, 0xc3, 0x17, 0x88 };
	size_t				 h = 2;

	dst[0] = (char)0x81;
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
	h += 4;
	for (size_t i = 0; i < len; i++)
		dst[h + i] = (char)(text[i] ^ mask[i & 3]);
	return (h + len);
}

static void
send_all(struct client *c, const char *p, size_t n)
{
	ssize_t	 w;

	while (n > 0) {
		if ((w = send(c->fd, p, n, MSG_NOSIGNAL)) == -1) {
			if (errno != EAGAIN)
				die("send");
			usleep(50);
			continue;
		}
		p += w, n -= (size_t)w;
	}
}

/* The next n messages of c, in one write. */
static void
client_send(struct client *c, uint64_t n)
{
	static char	*out, *text;
	size_t		 len = 0;

	if (out == NULL) {
		out = malloc((opt.size + 64) * 1024);
		text = malloc(opt.size + 64);
	}
	while (n > 0) {
		uint64_t	 step = n > 1024 ? 1024 : n;

		for (len = 0, n -= step; step > 0; step--) {
			int	 head;

			memset(text, 'x', opt.size);
			if (opt.mode == WHISPER)
				head = sprintf(text, "%u %u %llu ",
				    c->number + opt.conns / 2, c->number,
				    (unsigned long long)++c->sent);
			else
				head = sprintf(text, "%u %llu ", c->number,
				    (unsigned long long)++c->sent);
			if ((size_t)head < opt.size)
				text[head] = 'x';
			sent_at[c->sent % RING] = now_ns();
			len += frame(out + len, text, (size_t)head > opt.size ?
			    (size_t)head : opt.size);
		}
		send_all(c, out, len);
	}
}

static uint64_t	 fan_seen;		/* deliveries of the newest messages */

/* A message arrived: right sender, right order? */
static void
client_got(struct client *c, const char *p, size_t len)
{
	unsigned long long	 seq;
	unsigned		 from, to;
	char			 head[64];
	size_t			 n = len < sizeof(head) - 1 ? len :
				    sizeof(head) - 1;

	memcpy(head, p, n);
	head[n] = '\0';
	if (opt.mode == WHISPER) {
		if (sscanf(head, "%u %u %llu", &to, &from, &seq) != 3 ||
		    to != c->number || from != c->number - opt.conns / 2)
			wrong++;
	} else if (sscanf(head, "%u %llu", &from, &seq) != 2 ||
	    (opt.mode == ECHO && from != c->number) ||
	    (opt.mode == FAN && from != 0))
		wrong++;
	if (seq != ++c->got)
		wrong++;
	done++;
	switch (opt.mode) {
	case ECHO:
		if (opt.conns == 1 || (done & 15) == 0)
			sample(now_ns() - sent_at[seq % RING]);
		if (c->sent + c->owe < opt.messages / opt.conns)
			c->owe++;
		break;
	case WHISPER:
		c -= opt.conns / 2;	/* its sender */
		if (c->sent + c->owe < opt.messages / (opt.conns / 2))
			c->owe++;
		break;
	case FAN:
		if (++fan_seen == opt.conns - 1) {
			fan_seen = 0;
			sample(now_ns() - sent_at[seq % RING]);
			if (clients[0].sent + clients[0].owe < opt.messages)
				clients[0].owe++;
		}
		break;
	default:
		break;
	}
}

static void
client_frames(struct client *c)
{
	size_t	 at = 0, h;
	uint64_t len;

	while (c->nin - at >= 2) {
		const unsigned char *p = (const unsigned char *)c->in + at;

		len = p[1] & 0x7f, h = 2;
		if (len == 126) {
			if (c->nin - at < 4)
				break;
			len = (uint64_t)(p[2] << 8 | p[3]), h = 4;
		} else if (len == 127) {
			if (c->nin - at < 10)
				break;
			for (len = 0, h = 2; h < 10; h++)
				len = len << 8 | p[h];
		}
		if (c->nin - at - h < len)
			break;
		if ((p[0] & 0xf) == 1)
			client_got(c, c->in + at + h, len);
		else if ((p[0] & 0xf) == 8) {
			fprintf(stderr, "closed by the server\n");
			exit(1);
		}
		at += h + len;
	}
	memmove(c->in, c->in + at, c->nin - at);
	c->nin -= at;
}

static void
client_open(struct client *c, unsigned number)
{
	struct sockaddr_in	 sa = { .sin_family = AF_INET };
	struct sockaddr_in	 from = { .sin_family = AF_INET };
	struct epoll_event	 ev = { .events = EPOLLIN, .data.ptr = c };
	char			 target[256], head[512];
	int			 one = 1, n;

	memset(c, 0, sizeof(*c));
	c->number = number;
	if ((c->fd = socket(AF_INET, SOCK_STREAM, 0)) == -1)
		die("socket");
	/* Many addresses: one has 28 000 ports only. */
	from.sin_addr.s_addr = htonl(0x7f000001 + number / 20000 % 250);
	if (bind(c->fd, (struct sockaddr *)&from, sizeof(from)) == -1)
		die("bind");
	sa.sin_port = htons((uint16_t)opt.port);
	inet_pton(AF_INET, opt.host, &sa.sin_addr);
	if (connect(c->fd, (struct sockaddr *)&sa, sizeof(sa)) == -1)
		die("connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	snprintf(target, sizeof(target), opt.path, number);
	n = snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: bench\r\n"
	    "Upgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	    "Sec-WebSocket-Version: 13\r\n\r\n", target);
	send_all(c, head, (size_t)n);
	if (epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev) == -1)
		die("epoll_ctl");
}

static void
client_close(struct client *c)
{
	struct linger	 l = { 1, 0 };	/* no TIME_WAIT: ports come back */

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(c->fd);
	free(c->in);
	c->in = NULL;
	c->nin = c->cap = 0;
}

/* Send in one write what this read's messages made due. */
static void
client_pay(struct client *c)
{
	if (c >= clients && c->owe > 0) {
		client_send(c, c->owe);
		c->owe = 0;
	}
}

static void
client_read(struct client *c)
{
	ssize_t	 n;
	char	*end;

	if (c->cap - c->nin < 65536) {
		c->cap = c->nin + 131072;
		if ((c->in = realloc(c->in, c->cap)) == NULL)
			die("realloc");
	}
	if ((n = recv(c->fd, c->in + c->nin, c->cap - c->nin - 1, 0)) <= 0) {
		if (n == -1 && errno == EAGAIN)
			return;
		fprintf(stderr, "connection %u lost: %s\n", c->number,
		    n == 0 ? "closed" : strerror(errno));
		exit(1);
	}
	c->nin += (size_t)n;
	c->in[c->nin] = '\0';
	if (!c->up) {
		if ((end = strstr(c->in, "\r\n\r\n")) == NULL)
			return;
		if (strncmp(c->in, "HTTP/1.1 101", 12) != 0) {
			fprintf(stderr, "refused: %.60s\n", c->in);
			exit(1);
		}
		end += 4;
		c->nin -= (size_t)(end - c->in);
		memmove(c->in, end, c->nin);
		c->up = 1;
		connected++;
		if (opt.mode == CONNECT) {
			client_close(c);
			if (++done + opt.conns <= opt.messages)
				client_open(c, c->number);
			return;
		}
	}
	client_frames(c);
	client_pay(opt.mode == FAN ? clients :
	    opt.mode == WHISPER ? c - opt.conns / 2 : c);
	if (c->nin == 0 && opt.mode == IDLE) {
		free(c->in);
		c->in = NULL;
		c->cap = 0;
	}
}

static void
turn(int ms)
{
	struct epoll_event	 ev[512];
	int			 n;

	if ((n = epoll_wait(ep, ev, 512, ms)) == -1 && errno != EINTR)
		die("epoll_wait");
	if (n == 0 && ms >= 10000) {
		fprintf(stderr, "nothing for 10 s: %llu done\n",
		    (unsigned long long)done);
		exit(1);
	}
	for (int i = 0; i < n; i++)
		client_read(ev[i].data.ptr);
}

static int
lat_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x < y ? -1 : x > y);
}

static void
options(int argc, char **argv)
{
	static const struct option	 longs[] = {
		{ "host", 1, NULL, 'h' }, { "port", 1, NULL, 'p' },
		{ "path", 1, NULL, 'a' }, { "mode", 1, NULL, 'm' },
		{ "conns", 1, NULL, 'c' }, { "flight", 1, NULL, 'f' },
		{ "messages", 1, NULL, 'n' }, { "size", 1, NULL, 's' },
		{ "pids", 1, NULL, 'P' }, { NULL, 0, NULL, 0 }
	};
	int	 o;

	while ((o = getopt_long(argc, argv, "", longs, NULL)) != -1)
		switch (o) {
		case 'h': opt.host = optarg; break;
		case 'p': opt.port = atoi(optarg); break;
		case 'a': opt.path = optarg; break;
		case 'c': opt.conns = (unsigned)atoi(optarg); break;
		case 'f': opt.flight = (unsigned)atoi(optarg); break;
		case 'n': opt.messages = strtoull(optarg, NULL, 10); break;
		case 's': opt.size = strtoull(optarg, NULL, 10); break;
		case 'P': opt.pids = optarg; break;
		case 'm':
			for (o = 0; o < 5; o++)
				if (strcmp(modes[o], optarg) == 0)
					opt.mode = (enum mode)o;
			break;
		default: exit(2);
		}
	if (opt.mode == WHISPER)
		opt.conns &= ~1u;
}

int
main(int argc, char **argv)
{
	uint64_t	 cpu0, cpu1, anon0, anon1, t0, t1, goal = 0;
	unsigned	 first;

	options(argc, argv);
	ep = epoll_create1(0);
	clients = calloc(opt.conns, sizeof(*clients));
	sent_at = calloc(RING, sizeof(*sent_at));
	lat = calloc(1u << 20, sizeof(*lat));
	servers(&cpu0, &anon0);
	t0 = now_ns();
	for (first = 0; first < opt.conns; first++) {
		client_open(&clients[first], first);
		if (opt.mode != CONNECT)
			while (connected + 32 < first)
				turn(10000);
	}
	if (opt.mode != CONNECT) {
		while (connected < opt.conns)
			turn(10000);
		servers(&cpu0, &anon1);
		t0 = now_ns();
	}
	switch (opt.mode) {
	case ECHO:
		goal = opt.messages / opt.conns * opt.conns;
		for (unsigned i = 0; i < opt.conns; i++)
			client_send(&clients[i], opt.flight);
		break;
	case WHISPER:
		goal = opt.messages / (opt.conns / 2) * (opt.conns / 2);
		for (unsigned i = 0; i < opt.conns / 2; i++)
			client_send(&clients[i], opt.flight);
		break;
	case FAN:
		goal = opt.messages * (opt.conns - 1);
		client_send(&clients[0], opt.flight);
		break;
	case CONNECT:
		goal = opt.messages;
		break;
	case IDLE:
		break;
	}
	while (done < goal)
		turn(10000);
	t1 = now_ns();
	servers(&cpu1, &anon1);
	qsort(lat, nlat, sizeof(*lat), lat_cmp);
	printf("{\"mode\":\"%s\",\"conns\":%u,\"flight\":%u,\"size\":%zu,"
	    "\"done\":%llu,\"wrong\":%llu,\"seconds\":%.3f,\"per_second\":%.0f,"
	    "\"cpu_us\":%.3f,\"p50_us\":%u,\"p99_us\":%u,\"bytes\":%lld}\n",
	    modes[opt.mode], opt.conns, opt.flight, opt.size,
	    (unsigned long long)done, (unsigned long long)wrong,
	    (double)(t1 - t0) / 1e9, (double)done / ((double)(t1 - t0) / 1e9),
	    done == 0 ? 0 : (double)(cpu1 - cpu0) / 1e3 / (double)done,
	    nlat ? lat[nlat / 2] : 0, nlat ? lat[nlat - 1 - nlat / 100] : 0,
	    opt.mode == IDLE ? (long long)(anon1 - anon0) / opt.conns : 0);
	return (wrong != 0);
}
