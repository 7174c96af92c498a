function train_reference(start_file, result_file, method)
    % TRAIN_REFERENCE  Fit the reference network by Levenberg-Marquardt, and time each step.
    %
    %   TRAIN_REFERENCE(START, RESULT) fits a 1-20-20-10-1 network to y = -x.*sin(10*x)
    %   from the weights in the MAT-file START, and writes the MAT-file RESULT. The method
    %   is the plain one below. It needs no toolbox, and runs in MATLAB and in GNU Octave.
    %
    %   TRAIN_REFERENCE(START, RESULT, 'trainlm') does the same by TRAINLM of MATLAB's Deep
    %   Learning Toolbox.
    %
    %   START holds
    %     W, b      initial weights and biases: layer k of a row a is a*W{k}' + b{k}'
    %     rows      numbers of the training rows, of 1000
    %     damping   mu of the first step
    %     target    mean squared error, in units scaled to [-1, 1], at which the fit ends
    %     epochs    most steps
    %     seconds   most seconds
    %     refinements  times that each step is refined, which undoes most of its rounding
    %     threads   threads of MATLAB's linear algebra (Octave's follow OPENBLAS_NUM_THREADS)
    %   RESULT holds, with a column for each accepted step,
    %     seconds   since the start of the fit, at the end of the step
    %     mse       mean squared error of the training rows after it, in scaled units
    %     damping   mu of the step, and
    %     trials    trials until it was accepted (NaN by TRAINLM)
    %   and
    %     W, b      weights and biases after the last step
    %
    %   A fit of two steps comes first, so that nothing is compiled or loaded in the time.

    if nargin < 3
        method = 'plain';
    end
    start = load(start_file);
    check_weights(start.W, start.b);
    if ~exist('OCTAVE_VERSION', 'builtin')
        maxNumCompThreads(start.threads);
    end

    x = (1:1000)' / 1000;
    y = -x .* sin(10 * x);
    x = scaled(x(start.rows));
    y = scaled(y(start.rows));

    switch method
        case 'plain'
            fit = @fit_plain;
        case 'trainlm'
            fit = @fit_trainlm;
        otherwise
            error('train_reference:method', ...
                  'the method is ''%s'': choose ''plain'' or ''trainlm''', method);
    end
    warm_up = start;
    warm_up.epochs = 2;
    fit(x, y, warm_up);
    result = fit(x, y, start); %#ok<NASGU>  its fields are saved
    save(result_file, '-struct', 'result', '-v6');
end

function check_weights(W, b)
    % Stop with a message unless the weights are those of a 1-20-20-10-1 network.
    units = [1 20 20 10 1];
    if numel(W) ~= 4 || numel(b) ~= 4
        error('train_reference:weights', ...
              'there are weights of %d layers, not 4: write the file again', numel(W));
    end
    for k = 1:4
        if ~isequal(size(W{k}), units([k + 1, k])) || ~isequal(size(b{k}), [units(k + 1), 1])
            error('train_reference:weights', ...
                  'W{%d} is %dx%d and b{%d} %dx%d, not %dx%d and %dx1: write the file again', ...
                  k, size(W{k}), k, size(b{k}), units(k + 1), units(k), units(k + 1));
        end
    end
end

function values = scaled(values)
    % Map a column to [-1, 1] by its least and largest value.
    low = min(values);
    values = 2 * (values - low) / (max(values) - low) - 1;
end

function result = fit_plain(x, y, start)
    % Plain Levenberg-Marquardt: mu/10 after a step that lowers the error, 10*mu after a trial
    % that does not. The Jacobian is the analytic one, by backpropagation.
    MU_MIN = 1e-15;
    MU_MAX = 1e10;
    MIN_GRADIENT = 1e-7;

    W = start.W;
    b = start.b;
    w = packed(W, b);
    mu = start.damping;
    diagonal = 1:numel(w) + 1:numel(w)^2;
    [seconds, mse, damping, trials] = deal(NaN(1, start.epochs));
    steps = 0;

    began = tic;
    [residual, layers] = forward(W, b, x, y);
    squares = residual' * residual;
    while steps < start.epochs
        J = jacobian(W, layers);
        H = J' * J;
        gradient = J' * residual;
        if ~(norm(gradient) >= MIN_GRADIENT)
            break
        end
        tried = 0;
        accepted = false;
        while ~accepted && mu <= MU_MAX
            tried = tried + 1;
            damped = H;
            damped(diagonal) = damped(diagonal) + mu;
            [R, failed] = chol(damped);
            if ~failed
                step = -(R \ (R' \ gradient));
                for refinement = 1:start.refinements
                    step = step - R \ (R' \ (J' * (residual + J * step) + mu * step));
                end
                predicted = 0.5 * (step' * (mu * step - gradient));
                [W_new, b_new] = unpacked(w + step, W);
                [residual_new, layers_new] = forward(W_new, b_new, x, y);
                squares_new = residual_new' * residual_new;
                gain = 0.5 * (squares - squares_new) / predicted;
                accepted = predicted > 0 && isfinite(gain) && gain > 0;
            end
            if ~accepted
                mu = 10 * mu;
            end
        end
        if ~accepted
            break
        end
        w = w + step;
        W = W_new;
        b = b_new;
        residual = residual_new;
        layers = layers_new;
        squares = squares_new;

        steps = steps + 1;
        damping(steps) = mu;
        trials(steps) = tried;
        mse(steps) = squares / numel(residual);
        seconds(steps) = toc(began);
        mu = max(0.1 * mu, MU_MIN);
        if mse(steps) <= start.target || seconds(steps) >= start.seconds
            break
        end
    end
    done = 1:steps;
    result = struct('seconds', seconds(done), 'mse', mse(done), 'damping', damping(done), ...
                    'trials', trials(done));
    result.W = W;
    result.b = b;
end

function [residual, layers] = forward(W, b, x, y)
    % Return prediction - y, and the values of each layer, rows x units; the first are x.
    last = numel(W);
    layers = cell(1, last + 1);
    layers{1} = x;
    for k = 1:last
        layers{k + 1} = layers{k} * W{k}' + b{k}';
        if k < last
            layers{k + 1} = tanh(layers{k + 1});
        end
    end
    residual = layers{end} - y;
end

function J = jacobian(W, layers)
    % Return the derivatives of the residuals, rows x weights, in the order of PACKED.
    rows = size(layers{1}, 1);
    blocks = cell(1, 2 * numel(W));
    delta = ones(rows, 1);  % of the output by the last layer's sums
    for k = numel(W):-1:1
        [units, inputs] = size(W{k});
        products = delta .* reshape(layers{k}, rows, 1, inputs);
        blocks{2 * k - 1} = reshape(products, rows, units * inputs);
        blocks{2 * k} = delta;
        if k > 1
            delta = (delta * W{k}) .* (1 - layers{k}.^2);
        end
    end
    J = [blocks{:}];
end

function w = packed(W, b)
    % Return all weights in one column: W{1}(:), b{1}, W{2}(:), ...
    parts = [cellfun(@(weights) weights(:), W(:)', 'UniformOutput', false); b(:)'];
    w = vertcat(parts{:});
end

function [W, b] = unpacked(w, W)
    % Return the weights of a column as PACKED has them, in the shapes of W.
    b = cell(size(W));
    place = 0;
    for k = 1:numel(W)
        [units, inputs] = size(W{k});
        W{k} = reshape(w(place + (1:units * inputs)), units, inputs);
        place = place + units * inputs;
        b{k} = w(place + (1:units));
        place = place + units;
    end
end

function result = fit_trainlm(x, y, start)
    % Levenberg-Marquardt by the toolbox, from the same weights and damping, on the same rows.
    if ~exist('trainlm', 'file')
        error('train_reference:toolbox', ...
              'trainlm is not installed: it is in the Deep Learning Toolbox');
    end
    W = start.W;
    b = start.b;
    net = feedforwardnet(cellfun('size', W(1:end - 1), 1), 'trainlm');
    net.inputs{1}.processFcns = {};  % the rows are scaled
    net.outputs{numel(W)}.processFcns = {};
    net.divideFcn = 'dividetrain';  % and all of them are training rows
    net = configure(net, x', y');
    net.IW{1, 1} = W{1};
    for k = 2:numel(W)
        net.LW{k, k - 1} = W{k};
    end
    for k = 1:numel(W)
        net.b{k} = b{k};
    end
    net.performFcn = 'mse';
    net.trainParam.mu = start.damping;
    net.trainParam.goal = start.target;
    net.trainParam.epochs = start.epochs;
    net.trainParam.time = start.seconds;
    net.trainParam.showWindow = false;
    net.trainParam.showCommandLine = false;
    [net, record] = train(net, x', y');

    W{1} = net.IW{1, 1};
    for k = 2:numel(W)
        W{k} = net.LW{k, k - 1};
    end
    result = struct('seconds', record.time(2:end) - record.time(1), 'mse', record.perf(2:end), ...
                    'damping', record.mu(2:end), 'trials', NaN(1, numel(record.perf) - 1));
    result.W = W;
    result.b = net.b(:)';
end
