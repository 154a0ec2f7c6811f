/* kennel.h: work for other threads. */
#include <errno.h>

#include "common/log.h"
#include "common/pool.h"
#include "shardd/api/surroundings.h"
#include "shardd/api/work.h"
#include "shardd/kennel.h"
#include "shardd/options.h"

#define WORK_END_MS	5000	/* that jobs have when the process ends */

static struct pool	*work_pool;	/* NULL until there is a job */
static int		 work_over;

int
kennel_work(kennel_work_cb *job, kennel_work_done_cb *done, void *arg)
{
	const struct options	*o = surroundings->opt;

	if (job == NULL) {
		errno = EINVAL;
		return (-1);
	}
	if (work_over) {
		errno = ECANCELED;
		return (-1);
	}
	if (work_pool == NULL && (work_pool = pool_new(surroundings->base,
	    o->work_threads, o->work_queue)) == NULL)
		return (-1);
	return (pool_run(work_pool, job, done, arg));
}

int
work_end(void)
{
	size_t	 n;

	work_over = 1;
	if ((n = pool_end(work_pool, WORK_END_MS)) > 0)
		log_warn("work: jobs=%zu have not returned in %d ms, the "
		    "process ends without them", n, WORK_END_MS);
	work_pool = NULL;
	return (n > 0 ? -1 : 0);
}
