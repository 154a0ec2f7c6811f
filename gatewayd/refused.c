/* The log of those whom the gateway refused. */
#include "common/log.h"
#include "gatewayd/refused.h"

/* One reason: what the server lacks is somebody's to mend, what a client did is not. */
static void
refused_line(enum refusal why, uint64_t n)
{
	const char	*label = refusal_label(why);
	int		 status = refusal_status(why);

	if (status == 503 && why != REFUSED_LEAVING)
		log_warn("refused why=%s n=%llu status=%d", label,
		    (unsigned long long)n, status);
	else
		log_info("refused why=%s n=%llu status=%d", label,
		    (unsigned long long)n, status);
}

void
refused_say(struct refused *r, const struct totals *t, uint64_t now)
{
	uint64_t	 n;

	for (int why = 0; why < REFUSED_NWHYS; why++) {
		n = t->refusals[why] - r->said[why];
		if (n == 0 || now < r->next[why])
			continue;
		refused_line((enum refusal)why, n);
		r->said[why] = t->refusals[why];
		r->next[why] = now + REFUSED_MS;
	}
}
