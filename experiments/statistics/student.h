#pragma once
// Student's t distribution.

namespace sono {

// P(T <= t) with `degrees` > 0 degrees of freedom; relative error near 1e-13.
double student_cdf(double t, double degrees);

// The t with student_cdf(t, degrees) = `probability`, in (0, 1).
double student_quantile(double probability, double degrees);

}  // namespace sono
