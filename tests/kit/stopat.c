/*
 * stopat: stops or kills a process at an exact step of a journey: when a shard sends a
 * message of a type.  Loaded by LD_PRELOAD into gatewayd and all that it starts.
 *
 *	STOPAT_DIR	a directory.  While a file there has a process's number as its
 *			name, that process obeys it, once:
 *
 *				MESSAGE NTH SIGNAL TARGET HOLD
 *
 * MESSAGE is a name of stopat_messages; the NTHth one that is sent from then on counts,
 * for each receiver of its own where the table says so.  TARGET and HOLD are processes,
 * or 0.  Whoever of them is another one stands still before the message is sent, so that
 * he cannot read it; then TARGET gets SIGNAL.  HOLD waits for SIGCONT, which the test
 * sends.  When all that has happened, there is a file `done`; a sender that is TARGET
 * makes it just before.
 *
 *	STOPAT_SELF	instead, for a program that is preloaded alone: MESSAGE NTH,
 *			where it stops itself
 *	STOPAT_BEFORE	and that before the message is sent
 */
#include <sys/socket.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proto/control.h"
#include "proto/gossip.h"

#define STOPAT_RECEIVERS	256	/* told apart */
#define STOPAT_WAIT_MS		5000	/* until another process stands still */

/* In a packet of the control channel or a ferry, or in a frame of a link. */
static const struct message {
	const char	*name;
	int		 link;
	unsigned	 type;
	unsigned	 receiver;	/* element that names it; 0: all are one */
} stopat_messages[] = {
	{ "EXPECT", 0, CTL_EXPECT, 0 },
	{ "EXPECTED", 0, CTL_EXPECTED, 0 },
	{ "ADOPT", 0, CTL_ADOPT, 0 },
	{ "ADOPTED", 0, CTL_ADOPTED, 0 },
	{ "MOVED", 0, CTL_MOVED, 0 },
	{ "ARRIVED", 0, CTL_ARRIVED, 0 },
	{ "FERRY_END", 0, CTL_FERRY_END, 0 },
	{ "FENCE", 1, GOSSIP_FENCE, 2 },
};

struct order {
	const struct message *message;
	unsigned	 nth;
	int		 signo;
	pid_t		 target, hold;
};

struct bytes {
	const uint8_t	*at, *end;
};

static char	 stopat_file[512];	/* our own */
static int	 stopat_over;		/* it has happened */
static uint64_t	 stopat_receivers[STOPAT_RECEIVERS];
static unsigned	 stopat_sent[STOPAT_RECEIVERS];

/* ---- what is sent, as msgpack has it ---- */

/* A number of n bytes, big-endian; 0 at the end. */
static uint64_t
bytes_number(struct bytes *b, size_t n)
{
	uint64_t	 v = 0;

	if ((size_t)(b->end - b->at) < n) {
		b->at = b->end;
		return (0);
	}
	while (n-- > 0)
		v = v << 8 | *b->at++;
	return (v);
}

/* Pass over n bytes. */
static void
bytes_pass(struct bytes *b, uint64_t n)
{
	b->at = (uint64_t)(b->end - b->at) < n ? b->end : b->at + n;
}

/* The head of an array: how many elements; 0: it is none. */
static size_t
bytes_array(struct bytes *b)
{
	uint8_t	 c = (uint8_t)bytes_number(b, 1);

	if ((c & 0xf0) == 0x90)
		return (c & 0xf);
	return (c == 0xdc ? bytes_number(b, 2) :
	    c == 0xdd ? bytes_number(b, 4) : 0);
}

/* The next element, which is passed over: its value, if it is a number. */
static uint64_t
bytes_element(struct bytes *b)
{
	uint8_t	 c = (uint8_t)bytes_number(b, 1);

	if (c < 0x80)
		return (c);
	if ((c & 0xe0) == 0xa0)				/* a short string */
		bytes_pass(b, c & 0x1f);
	else if (c >= 0xc4 && c <= 0xc6)		/* bytes */
		bytes_pass(b, bytes_number(b, (size_t)1 << (c - 0xc4)));
	else if (c >= 0xd9 && c <= 0xdb)		/* a string */
		bytes_pass(b, bytes_number(b, (size_t)1 << (c - 0xd9)));
	else if (c >= 0xcc && c <= 0xcf)
		return (bytes_number(b, (size_t)1 << (c - 0xcc)));
	return (0);
}

/* ---- whether it is the one ---- */

/* What this process is to do: 0, or -1: nothing. */
static int
stopat_order(struct order *o)
{
	const char	*self = getenv("STOPAT_SELF");
	char		 name[16];
	FILE		*f;
	int		 n = 0;

	if (stopat_over)
		return (-1);
	if (self != NULL) {
		*o = (struct order){ NULL, 0, SIGSTOP, getpid(), 0 };
		n = sscanf(self, "%15s %u", name, &o->nth) + 3;
	} else if ((f = fopen(stopat_file, "re")) != NULL) {
		n = fscanf(f, "%15s %u %d %d %d", name, &o->nth, &o->signo,
		    &o->target, &o->hold);
		fclose(f);
	}
	for (size_t i = 0; n == 5 && i < sizeof(stopat_messages) /
	    sizeof(stopat_messages[0]); i++)
		if (strcmp(name, stopat_messages[i].name) == 0) {
			o->message = &stopat_messages[i];
			return (0);
		}
	return (-1);
}

/* One more to that receiver: which one is it? */
static unsigned
stopat_count(uint64_t receiver)
{
	for (size_t i = 0; i < STOPAT_RECEIVERS; i++)
		if (stopat_receivers[i] == receiver || stopat_sent[i] == 0) {
			stopat_receivers[i] = receiver;
			return (++stopat_sent[i]);
		}
	return (0);
}

/* A message of n elements: is it the one? */
static int
stopat_message(const struct order *o, struct bytes *b, size_t n)
{
	uint64_t	 receiver = 0, v;
	int		 is = 0;

	for (size_t i = 0; i < n; i++) {
		v = bytes_element(b);
		if (i == 0)
			is = v == o->message->type;
		else if (i == o->message->receiver)
			receiver = v;
	}
	return (is && stopat_count(receiver) == o->nth);
}

/* Is it among these messages? */
static int
stopat_packet(const struct order *o, const void *data, size_t len)
{
	struct bytes	 b = { data, (const uint8_t *)data + len };
	int		 found = 0;

	for (size_t n = bytes_array(&b); n > 0 && b.at < b.end; n--)
		found |= stopat_message(o, &b, bytes_array(&b));
	return (found);
}

/* Is it among these frames? */
static int
stopat_frames(const struct order *o, const void *data, size_t len)
{
	struct bytes	 b = { data, (const uint8_t *)data + len }, frame;
	uint64_t	 n;
	int		 found = 0;

	while (b.at < b.end) {
		n = bytes_number(&b, 4);
		frame = (struct bytes){ b.at, b.end };
		found |= stopat_message(o, &frame, bytes_array(&frame));
		bytes_pass(&b, n);
	}
	return (found);
}

/* ---- what happens then ---- */

/* Another process stands still from now on, or has ended. */
static void
stopat_still(pid_t pid)
{
	const struct timespec	 ms = { 0, 1000000 };
	char			 path[32], text[512], *at;
	ssize_t			 n;
	int			 fd;

	if (pid == 0 || pid == getpid() || kill(pid, SIGSTOP) == -1)
		return;
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	for (int i = 0; i < STOPAT_WAIT_MS; i++) {
		if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
			return;
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
		text[n < 0 ? 0 : n] = '\0';
		at = strrchr(text, ')');
		if (at == NULL || strchr("TZX", at[2]) != NULL)
			return;
		nanosleep(&ms, NULL);
	}
	abort();
}

static void
stopat_done(void)
{
	char	 path[512], *slash;

	if (stopat_file[0] == '\0')
		return;
	snprintf(path, sizeof(path), "%s", stopat_file);
	if ((slash = strrchr(path, '/')) == NULL)
		abort();
	snprintf(slash, (size_t)(path + sizeof(path) - slash), "/done");
	close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

/* The message was sent. */
static void
stopat_act(const struct order *o)
{
	if (o->target != getpid())
		kill(o->target, o->signo);
	stopat_done();
	if (o->target == getpid())
		kill(o->target, o->signo);
}

static void
stopat_before(const struct order *o)
{
	stopat_over = 1;
	if (getenv("STOPAT_BEFORE") != NULL)
		raise(o->signo);
	stopat_still(o->target);
	stopat_still(o->hold);
}

static void __attribute__((constructor))
stopat_begin(void)
{
	const char	*dir = getenv("STOPAT_DIR");

	if (dir != NULL)
		snprintf(stopat_file, sizeof(stopat_file), "%s/%d", dir,
		    (int)getpid());
}

ssize_t
sendmsg(int fd, const struct msghdr *m, int flags)
{
	static ssize_t	(*real)(int, const struct msghdr *, int);
	struct order	 o;
	int		 now;
	ssize_t		 n;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "sendmsg");
	now = m->msg_iovlen == 1 && stopat_order(&o) == 0 &&
	    !o.message->link && stopat_packet(&o, m->msg_iov[0].iov_base,
	    m->msg_iov[0].iov_len);
	if (!now)
		return (real(fd, m, flags));
	stopat_before(&o);
	n = real(fd, m, flags);
	stopat_act(&o);
	return (n);
}

/* A link is a Unix socket; clients are not. */
static int
stopat_link(int fd)
{
	int		 domain = 0;
	socklen_t	 len = sizeof(domain);

	return (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
	    domain == AF_UNIX);
}

ssize_t
send(int fd, const void *data, size_t len, int flags)
{
	static ssize_t	(*real)(int, const void *, size_t, int);
	struct order	 o;
	int		 now;
	ssize_t		 n;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "send");
	now = stopat_order(&o) == 0 && o.message->link && stopat_link(fd) &&
	    stopat_frames(&o, data, len);
	if (!now)
		return (real(fd, data, len, flags));
	stopat_before(&o);
	n = real(fd, data, len, flags);
	stopat_act(&o);
	return (n);
}
