/* Another program in the gateway's own place. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <errno.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/secret.h"
#include "gatewayd/child.h"
#include "gatewayd/heritage.h"
#include "gatewayd/succession.h"

#define SUCCESSION_TRY_MS	10000	/* for the new program to check itself */
#define SUCCESSION_SETTLE_MS	3000	/* for handovers that are under way */
#define SUCCESSION_LOOK_MS	5
#define SUCCESSION_ARGS		1024

enum succession_phase {
	SUCCESSION_NONE,
	SUCCESSION_TRYING,
	SUCCESSION_SETTLING
};

struct succession {
	const struct succession_ops *ops;
	void		*arg;
	enum succession_phase phase;
	struct event_base *base;
	struct event	*timer, *ended;	/* ended: of the trial */
	pid_t		 pid;
	int		 pidfd;		/* -1 */
	uint64_t	 until;		/* clock_ms */
	char		 fault[256];
};

static void	 succession_timer_cb(evutil_socket_t, short, void *);
static void	 succession_ended_cb(evutil_socket_t, short, void *);

struct succession *
succession_new(struct event_base *base, const struct succession_ops *ops,
    void *arg)
{
	struct succession	*s;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		return (NULL);
	s->base = base;
	s->ops = ops;
	s->arg = arg;
	s->pidfd = -1;
	if ((s->timer = evtimer_new(base, succession_timer_cb, s)) == NULL) {
		free(s);
		errno = ENOMEM;
		return (NULL);
	}
	return (s);
}

/* The trial is over. */
static void
succession_bury(struct succession *s)
{
	if (s->ended != NULL)
		event_free(s->ended);
	s->ended = NULL;
	if (s->pidfd != -1)
		close(s->pidfd);
	s->pidfd = -1;
}

void
succession_free(struct succession *s)
{
	if (s == NULL)
		return;
	child_kill(s->pidfd, SIGKILL);
	succession_bury(s);
	event_free(s->timer);
	free(s);
}

/* It comes to nothing: everything stays as it is. */
static void succession_fail(struct succession *, const char *, ...)
	    __attribute__((format(printf, 2, 3)));

static void
succession_fail(struct succession *s, const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	vsnprintf(s->fault, sizeof(s->fault), fmt, ap);
	va_end(ap);
	log_warn("the gateway's program stays: %s", s->fault);
	if (s->phase == SUCCESSION_SETTLING)
		s->ops->pause(0, s->arg);
	s->phase = SUCCESSION_NONE;
	evtimer_del(s->timer);
}

int
succession_begin(struct succession *s, char *why, size_t size)
{
	const char	*program = heritage_program();
	char		*argv[SUCCESSION_ARGS], check[] = "--check";
	struct timeval	 tv = clock_tv(SUCCESSION_TRY_MS);
	pid_t		 holder;
	size_t		 n = 0;

	if (s->phase != SUCCESSION_NONE) {
		snprintf(why, size, "that is under way already");
		return (-1);
	}
	while (program != NULL && heritage_argv()[n] != NULL &&
	    n < SUCCESSION_ARGS - 2) {
		argv[n] = heritage_argv()[n];
		n++;
	}
	if (program == NULL || heritage_argv()[n] != NULL) {
		snprintf(why, size, "how this program was started is not known");
		return (-1);
	}
	argv[n++] = check;
	argv[n] = NULL;
	secret_return();
	s->pid = child_spawn(program, -1, argv, NULL, NULL, &s->pidfd, &holder);
	secret_forget();
	if (s->pid == -1) {
		snprintf(why, size, "%s: %s", program, strerror(errno));
		return (-1);
	}
	s->ended = event_new(s->base, s->pidfd, EV_READ, succession_ended_cb,
	    s);
	if (s->ended == NULL || event_add(s->ended, NULL) == -1) {
		child_kill(s->pidfd, SIGKILL);
		succession_bury(s);
		snprintf(why, size, "%s", strerror(ENOMEM));
		return (-1);
	}
	s->fault[0] = '\0';
	s->phase = SUCCESSION_TRYING;
	evtimer_add(s->timer, &tv);
	log_info("another gateway program=%s is tried", program);
	return (0);
}

/* The trial has ended: well? */
static void
succession_ended_cb(evutil_socket_t fd, short what, void *arg)
{
	struct succession	*s = arg;
	char			 how[32];

	(void)fd, (void)what;
	child_ended(how, sizeof(how), s->pid);
	succession_bury(s);
	if (s->phase != SUCCESSION_TRYING)
		return;
	if (strcmp(how, "status=0") != 0) {
		succession_fail(s, "%s does not start with the arguments and the "
		    "configuration of this one (%s): its words are in the log",
		    heritage_program(), how);
		return;
	}
	s->phase = SUCCESSION_SETTLING;
	s->until = clock_ms() + SUCCESSION_SETTLE_MS;
	s->ops->pause(1, s->arg);
	event_active(s->timer, EV_TIMEOUT, 1);
}

/* The trial takes too long; or is all settled by now? */
static void
succession_timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct succession	*s = arg;
	struct timeval		 tv = clock_tv(SUCCESSION_LOOK_MS);

	(void)fd, (void)what;
	if (s->phase == SUCCESSION_TRYING) {
		child_kill(s->pidfd, SIGKILL);
		succession_fail(s, "%s did not check itself in time",
		    heritage_program());
	} else if (s->phase == SUCCESSION_SETTLING &&
	    s->ops->settled(s->arg)) {
		s->ops->execute(s->arg);
		succession_fail(s, "%s: %s", heritage_program(),
		    strerror(errno));
	} else if (s->phase == SUCCESSION_SETTLING && clock_ms() >= s->until)
		succession_fail(s, "connections on their way to shards did not "
		    "arrive there in time");
	else if (s->phase == SUCCESSION_SETTLING)
		evtimer_add(s->timer, &tv);
}

const char *
succession_phase(const struct succession *s)
{
	static const char *const	 names[] = {
		[SUCCESSION_NONE] = "none",
		[SUCCESSION_TRYING] = "trying",
		[SUCCESSION_SETTLING] = "settling",
	};

	return (names[s->phase]);
}

const char *
succession_fault(const struct succession *s)
{
	return (s->fault);
}
