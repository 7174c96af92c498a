/* Written by benchmarks/fit_tanh.py, which says how; do not edit. */
#pragma once

/* tanh_1e4: largest relative error 6.70e-05, before the rounding of t */
#define TANH_1E4_DEGREE 2
#define TANH_1E4_BOUND 26.542263f
static const float tanh_1e4_p[] = {
    1.0f,
    0.1022848f,
    0.0006635991f,
};
static const float tanh_1e4_q[] = {
    1.0f,
    0.43536282f,
    0.012763423f,
};

/* tanh_1e7: largest relative error 2.42e-08, before the rounding of t */
#define TANH_1E7_DEGREE 4
#define TANH_1E7_BOUND 83.09496475544785
static const double tanh_1e7_p[] = {
    1.0,
    0.13376491931204695,
    0.003490093240225756,
    2.0514396085902287e-05,
    1.3215604720407904e-08,
};
static const double tanh_1e7_q[] = {
    1.0,
    0.467098120054922,
    0.02585636017597042,
    0.00032764631328954,
    7.721299467662697e-07,
};

/* tanh_1e12: largest relative error 1.73e-13, before the rounding of t */
#define TANH_1E12_DEGREE 7
#define TANH_1E12_BOUND 226.19005879216854
static const double tanh_1e12_p[] = {
    1.0,
    0.14764724632694856,
    0.005361214767692269,
    7.136475504203079e-05,
    3.8723763158471214e-07,
    8.183996552902347e-10,
    5.327653448069607e-13,
    4.5908022889081176e-17,
};
static const double tanh_1e12_q[] = {
    1.0,
    0.4809805796590326,
    0.03235474132350856,
    0.0006937885408167377,
    5.87811678959544e-06,
    2.0205051244738895e-08,
    2.4852293625247177e-11,
    7.189428088933101e-15,
};
