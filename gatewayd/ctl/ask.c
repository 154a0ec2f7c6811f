/* Asking a gatewayd, by its control socket. */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "common/clock.h"
#include "common/fdpass.h"
#include "common/sock.h"
#include "gatewayd/ctl/ask.h"
#include "gatewayd/ctl/say.h"
#include "gatewayd/paths.h"
#include "proto/control.h"

#define ANSWER_MS	10000
#define ASK_TRIES	3
#define ANSWER_MAX	(64 << 20)	/* bytes */

/* Until fd is ready; what is said when it takes too long is final. */
static void
ask_wait(int fd, short events, uint64_t deadline)
{
	struct pollfd	 p = { .fd = fd, .events = events };
	uint64_t	 now = clock_ms();

	if (now >= deadline || (poll(&p, 1, (int)(deadline - now)) == 0))
		say_die(EXIT_NONE, "gatewayd does not answer; is it stopped?");
}

static int
ask_connect(const char *dir, uint64_t deadline)
{
	char	*path = paths_in(dir, "control.sock");
	int	 fd;

	if (path == NULL)
		say_die(EXIT_NONE, "out of memory");
	while ((fd = sock_connect_unix(path, SOCK_SEQPACKET)) == -1) {
		if (errno == EACCES || errno == EPERM)
			say_die(EXIT_NONE, "%s: %s; only its owner and root "
			    "may ask", path, strerror(errno));
		if (errno != EAGAIN)
			say_die(EXIT_NONE, "no gatewayd answers in %s: is it "
			    "running? give --run-dir", dir);
		ask_wait(-1, 0, clock_ms() + 10 > deadline ? deadline :
		    clock_ms() + 10);
	}
	free(path);
	return (fd);
}

/* A packet of the answer, its text to the end of text.  1: another follows. */
static int
ask_packet(const char *data, size_t len, struct buf *text)
{
	struct pack_in	 in;
	struct ctl	 m;
	int		 more = 1;

	if (pack_open(&in, data, len) == -1)
		goto bad;
	while (pack_in_left(&in) > 0) {
		if (ctl_decode(&m, &in) == -1 || m.type != CTL_STATUS)
			goto bad;
		if (m.text.len > 0)
			buf_add(text, m.text.data, m.text.len);
		more = (m.flags & CTL_F_MORE) != 0;
	}
	return (more);
bad:
	say_die(EXIT_NONE, "gatewayd's answer cannot be read; is it of another "
	    "version?");
}

/* The last answer, kept for those who end the process amid of one. */
static json_t	*ask_answer;

/* Ask once, and hear what is answered: 0, or -1: it ended before that was all. */
static int
ask_once(const char *dir, const struct buf *out, struct buf *text,
    uint64_t deadline)
{
	static char	 data[PACKET_MAX];
	ssize_t		 n;
	size_t		 nfds;
	int		 fds[FDPASS_MAX], cut, fd, more = 1;

	fd = ask_connect(dir, deadline);
	if (fdpass_send(fd, NULL, 0, out->data, out->len) == -1) {
		close(fd);
		return (-1);
	}
	while (more) {
		n = fdpass_recv(fd, fds, &nfds, data, sizeof(data), &cut);
		if (n == -1 && errno == EAGAIN)
			ask_wait(fd, POLLIN, deadline);
		else if (n > 0)
			more = ask_packet(data, (size_t)n, text);
		else if (n == 0 || errno != ECONNRESET)
			break;
	}
	close(fd);
	return (more ? -1 : 0);
}

json_t *
ask(const char *dir, const struct ctl *ask)
{
	struct buf	 out = { 0 }, text = { .max = ANSWER_MAX };
	uint64_t	 deadline = clock_ms() + ANSWER_MS;
	json_t		*json;
	int		 tries = 0;

	pack_array(&out, 1);
	ctl_encode(&out, ask);
	if (out.failed)
		say_die(EXIT_NONE, "out of memory");
	/* Another program may have begun in its place; what changes nothing can be
	 * asked again. */
	while (ask_once(dir, &out, &text, deadline) == -1) {
		if (ask->type != CTL_STATUS_ASK || ++tries == ASK_TRIES)
			say_die(EXIT_NONE, "gatewayd ended while it answered");
		buf_reset(&text);
	}
	buf_clear(&out);
	json = text.failed ? NULL : json_loadb(text.data, text.len,
	    JSON_ALLOW_NUL, NULL);
	if (json == NULL)
		say_die(EXIT_NONE, "gatewayd's answer cannot be read");
	buf_clear(&text);
	json_decref(ask_answer);
	ask_answer = json_incref(json);
	return (json);
}

json_t *
ask_status(const char *dir, const char *what)
{
	const struct ctl	 m = { .type = CTL_STATUS_ASK, .id = 1,
				    .text = slice_str(what) };

	return (ask(dir, &m));
}

json_t *
ask_again(const char *dir)
{
	json_t	*json;
	pid_t	 pid;
	int	 fds[2], null;

	if (pipe2(fds, O_CLOEXEC) == -1)
		return (NULL);
	/* Whoever asks ends with a gateway that does not answer. */
	if ((pid = fork()) == 0) {
		signal(SIGINT, SIG_DFL);	/* its parent waits for it */
		/* What it says of itself is nobody's. */
		if ((null = open("/dev/null", O_WRONLY)) != -1) {
			dup2(null, STDOUT_FILENO);
			dup2(null, STDERR_FILENO);
		}
		_exit(json_dumpfd(ask_status(dir, ""), fds[1], 0) == 0 ? 0 : 1);
	}
	close(fds[1]);
	json = pid == -1 ? NULL : json_loadfd(fds[0], 0, NULL);
	close(fds[0]);
	while (pid != -1 && waitpid(pid, NULL, 0) == -1 && errno == EINTR)
		;
	return (json);
}
