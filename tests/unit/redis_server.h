/* A Redis of a test's own. */
#ifndef TESTS_REDIS_SERVER_H
#define TESTS_REDIS_SERVER_H

#include <sys/socket.h>
#include <sys/wait.h>

#include <check.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/sock.h"

#define PATIENCE_MS	15000

static char	 dir[] = "/tmp/kennel-test-XXXXXX", path[64], url[80];
static pid_t	 server;

/* Where it will be. */
static void
make_place(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/sock", dir);
	snprintf(url, sizeof(url), "unix:%s", path);
}

/* Started with one more option, or NULL; it answers when this returns. */
static void
start_server(const char *option, const char *value)
{
	int	 fd, null;

	if ((server = fork()) == 0) {
		null = open("/dev/null", O_RDWR);
		dup2(null, STDOUT_FILENO);
		execlp("redis-server", "redis-server", "--port", "0",
		    "--unixsocket", path, "--dir", dir, "--save", "",
		    "--appendonly", "no", option, value, (char *)NULL);
		_exit(127);
	}
	for (uint64_t end = clock_ms() + PATIENCE_MS; clock_ms() < end;
	    usleep(5000)) {
		if ((fd = sock_connect_unix(path, SOCK_STREAM)) != -1) {
			close(fd);
			return;
		}
		ck_assert_int_eq(waitpid(server, NULL, WNOHANG), 0);
	}
	ck_abort_msg("redis-server does not answer");
}

/* Killed, if it runs. */
static void
stop_server(void)
{
	if (server > 0) {
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
	}
	server = 0;
}

/* ---- waiting ---- */

static inline void
give_up_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg;
	ck_abort_msg("waited in vain");
}

/* Turn the loop until *n is at least want. */
static inline void
reach(struct event_base *loop, const int *n, int want)
{
	struct event	*ev = evtimer_new(loop, give_up_cb, NULL);
	struct timeval	 tv = { PATIENCE_MS / 1000, 0 };

	event_add(ev, &tv);
	while (*n < want)
		event_base_loop(loop, EVLOOP_ONCE);
	event_free(ev);
}

#endif
