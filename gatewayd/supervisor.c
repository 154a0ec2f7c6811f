/* What systemd is told. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/bytes.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/proc.h"
#include "gatewayd/supervisor.h"

#define SUPERVISOR_STATUS_MS	2000	/* between two looks at what we are */
#define SUPERVISOR_STATUS_MAX	256

struct supervisor {
	supervisor_status *status;
	void		*arg;
	struct event	*timer;
	int		 watched;	/* WATCHDOG=1 is expected */
	int		 ready;
	char		 said[SUPERVISOR_STATUS_MAX];
};

/* The watchdog's time that is meant for this process, in ms; 0: none. */
static uint64_t
supervisor_watchdog_ms(void)
{
	const char	*usec = getenv("WATCHDOG_USEC");
	const char	*pid = getenv("WATCHDOG_PID");
	uint64_t	 us, p;

	if (usec == NULL || slice_u64(slice_str(usec), INT64_MAX, &us) == -1)
		return (0);
	if (pid != NULL && (slice_u64(slice_str(pid), INT32_MAX, &p) == -1 ||
	    (pid_t)p != getpid()))
		return (0);
	return (us / 1000);
}

/* Send this, and the status where it is another one. */
static void
supervisor_say(struct supervisor *s, const char *words)
{
	char	 line[SUPERVISOR_STATUS_MAX], text[SUPERVISOR_STATUS_MAX + 128];
	int	 same;

	s->status(line, sizeof(line), s->arg);
	if ((same = strcmp(line, s->said) == 0) && words[0] == '\0')
		return;
	memcpy(s->said, line, sizeof(line));
	snprintf(text, sizeof(text), "%s%s%s%s", words, words[0] != '\0' &&
	    !same ? "\n" : "", same ? "" : "STATUS=", same ? "" : line);
	proc_notify(text);
}

static void
supervisor_beat_cb(evutil_socket_t fd, short what, void *arg)
{
	struct supervisor	*s = arg;

	(void)fd, (void)what;
	supervisor_say(s, s->watched ? "WATCHDOG=1" : "");
}

struct supervisor *
supervisor_new(struct event_base *base, supervisor_status *status, void *arg)
{
	struct supervisor	*s;
	uint64_t		 ms = supervisor_watchdog_ms();
	struct timeval		 tv;

	if (getenv("NOTIFY_SOCKET") == NULL ||
	    (s = calloc(1, sizeof(*s))) == NULL)
		return (NULL);
	s->status = status;
	s->arg = arg;
	s->watched = ms > 0;
	/* Three beats in the watchdog's time, so that one may be late. */
	ms = s->watched && ms / 3 < SUPERVISOR_STATUS_MS ? ms / 3 + 1 :
	    SUPERVISOR_STATUS_MS;
	tv = (struct timeval){ (time_t)(ms / 1000),
	    (suseconds_t)(ms % 1000 * 1000) };
	s->timer = event_new(base, -1, EV_PERSIST, supervisor_beat_cb, s);
	if (s->timer == NULL || event_add(s->timer, &tv) == -1) {
		log_warn("the supervisor is told nothing: no memory");
		supervisor_free(s);
		return (NULL);
	}
	return (s);
}

void
supervisor_free(struct supervisor *s)
{
	if (s == NULL)
		return;
	if (s->timer != NULL)
		event_free(s->timer);
	free(s);
}

void
supervisor_ready(struct supervisor *s)
{
	if (s == NULL)
		return;
	s->ready = 1;
	supervisor_say(s, "READY=1");
}

void
supervisor_reloading(struct supervisor *s)
{
	char	 text[64];

	/* Before the first READY we are starting, and stay so. */
	if (s == NULL || !s->ready)
		return;
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
	    clock_ms() * 1000);
	supervisor_say(s, text);
}

void
supervisor_reloaded(struct supervisor *s)
{
	if (s != NULL && s->ready)
		supervisor_say(s, "READY=1");
}

void
supervisor_stopping(struct supervisor *s, unsigned ms)
{
	char	 text[64];

	if (s == NULL)
		return;
	snprintf(text, sizeof(text), "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64,
	    (uint64_t)ms * 1000);
	supervisor_say(s, text);
}
