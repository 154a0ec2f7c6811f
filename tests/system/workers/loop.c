/*
 * A worker whose clients order it about by messages, to see what it does with
 * descriptors and threads, at its beginning and at its end.
 */
#define _GNU_SOURCE
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <kennel.h>

static struct kennel_watch	*watch;
static struct kennel_socket	*client;	/* who hears of what happens */
static int			 pair[2] = { -1, -1 };

static void
say(const char *what, int n)
{
	char	 text[128];

	snprintf(text, sizeof(text), "%s %d", what, n);
	if (client != NULL)
		kennel_send(client, text, strlen(text), 0);
}

static void
ready(int fd, int events, void *arg)
{
	char	 c;

	(void)arg;
	if (events & KENNEL_READ) {
		if (read(fd, &c, 1) == 1)
			say("read", c);
		else {
			say("end", events);
			kennel_watch_free(watch);
			watch = NULL;
		}
	} else {
		say("write", events);
		kennel_watch_change(watch, 0);
	}
}

static void
nap(void *arg)
{
	struct timespec	 t = { 0, 1000000 };
	int		 fd = *(int *)arg;
	char		 c;

	if (fd == -1)
		for (int i = 0; i < 300; i++)
			nanosleep(&t, NULL);
	else if (read(fd, &c, 1) == -1)		/* until it is let go */
		abort();
}

static void
napped(int err, void *arg)
{
	say("done", err);
	kennel_log("nap err=%d", err);
	free(arg);
}

static void
work(int fd)
{
	int	*arg = malloc(sizeof(*arg));

	*arg = fd;
	if (kennel_work(nap, napped, arg) == 0)
		return;
	say("full", errno);
	free(arg);
}

static void
watch_wrong(void)
{
	static int	 wrong;
	int		 fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);

#define FAILS(e, x)	(errno = 0, wrong += !((x) && errno == (e)) ? __LINE__ : 0)
	FAILS(EINVAL, kennel_watch(pair[0], KENNEL_READ, NULL, NULL) == NULL);
	FAILS(EINVAL, kennel_watch(pair[0], 8, ready, NULL) == NULL);
	FAILS(EBADF, kennel_watch(-1, KENNEL_READ, ready, NULL) == NULL);
	FAILS(EPERM, kennel_watch(fd, KENNEL_READ, ready, NULL) == NULL);
	FAILS(EEXIST, kennel_watch(pair[0], KENNEL_READ, ready, NULL) == NULL);
	FAILS(EINVAL, kennel_watch_change(watch, 8) == -1);
	FAILS(EINVAL, kennel_work(NULL, napped, NULL) == -1);
	close(fd);
	say("wrong", wrong);
}

static void
receive(struct kennel_request *q)
{
	kennel_connect(q);
}

static int
onopen(struct kennel_socket *s)
{
	client = s;
	return (0);
}

static void
onmessage(struct kennel_socket *s, const struct kennel_message *m)
{
	char	 word[32];

	(void)s;
	snprintf(word, sizeof(word), "%.*s", (int)m->len, m->data);
	if (strcmp(word, "watch") == 0)
		watch = kennel_watch(pair[0], KENNEL_READ, ready, NULL);
	else if (strcmp(word, "write") == 0)
		kennel_watch_change(watch, KENNEL_WRITE);
	else if (strcmp(word, "both") == 0)
		kennel_watch_change(watch, KENNEL_READ | KENNEL_WRITE);
	else if (strcmp(word, "read") == 0)
		kennel_watch_change(watch, KENNEL_READ);
	else if (strcmp(word, "put") == 0 && write(pair[1], "A", 1) == 1)
		say("put", 1);
	else if (strcmp(word, "hang up") == 0)
		close(pair[1]);
	else if (strcmp(word, "wrong") == 0)
		watch_wrong();
	else if (strcmp(word, "nap") == 0)
		work(-1);
	else if (strcmp(word, "wait") == 0)
		work(pair[0]);
	else if (strcmp(word, "level") == 0)
		say("level", kennel_log_level());
	else if (strcmp(word, "log") == 0)
		for (int i = -1; i < 4; i++)
			kennel_log_at(i, "at=%d", i);
}

static void
onclose(struct kennel_socket *s, const struct kennel_close *c)
{
	(void)c;
	if (client == s)
		client = NULL;
	kennel_log("closed");
}

static void
onstop(struct kennel_replica *r)
{
	(void)r;
	kennel_log("stopped");
}

static int
launch(const struct kennel_app *app)
{
	const char	*refuse = kennel_option("app.refuse");

	kennel_log("launch app=%s", app->name);
	if (pair[0] == -1 &&
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		return (-1);
	return (refuse != NULL && strcmp(refuse, app->name) == 0 ? -1 : 0);
}

static void
leave(const struct kennel_app *app)
{
	int	 r = kennel_work(nap, NULL, NULL);

	kennel_log("exit app=%s work=%d errno=%d", app->name, r, errno);
}

int
main(int argc, char **argv)
{
	static const struct kennel_app apps[] = {
		{ .name = "one", .receive = receive, .onopen = onopen,
		    .onmessage = onmessage, .onclose = onclose, .onerror = onclose,
		    .onstop = onstop, .onlaunch = launch, .onexit = leave },
		{ .name = "two", .onlaunch = launch, .onexit = leave },
	};

	return (kennel_worker_main(argc, argv, apps, 2));
}
