/* A Redis of a test's own. */
#ifndef TESTS_REDIS_SERVER_H
#define TESTS_REDIS_SERVER_H

#include <sys/socket.h>
#include <sys/wait.h>

#include <check.h>
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

#endif
